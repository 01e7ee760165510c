"""Plugins: the hooks, finding and loading what is installed, checking it, commands, reviewers and observers."""
