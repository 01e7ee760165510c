"""`python -m keywright`, for installations without the `keywright` distribution."""

from keywright.cli import main

raise SystemExit(main())
