"""`keywright doctor` and what keys are to be: declared and never made, overdue, or without a version that signs."""

from __future__ import annotations

from datetime import timedelta

from support.rings import NOW, Ring


def test_keys_that_are_declared(ring: Ring) -> None:
    """Never made, or due for rotation: each is told, where `[keys.NAME]` says that it is kept."""
    ring.make("old", "fresh")
    ring.now += timedelta(days=90)
    with ring.open() as opened:
        opened.rotate("fresh", activate_in=timedelta(days=1))
    keys: dict[str, object] = {
        "fresh": {"rotate_every": "90d"},
        "never": {"store": "db"},
        "old": {"rotate_every": "90d"},
        "var": {"store": "env"},
    }

    assert ring.findings(keys) == [
        (
            "old in store 'file': its rotation is overdue: version 1 was made at 2027-01-01T12:00:00Z, and "
            "keys.old.rotate_every is 90d; run `keywright rotate --due old`"
        ),
        (
            "never in store 'db': is declared as keys.never, and no version of it was ever made; run `keywright ensure "
            "never`"
        ),
        (
            "var in store 'env': var@1 would be in the environment variable KEYWRIGHT_KEY_VAR, or in a file that "
            "KEYWRIGHT_KEY_VAR_FILE points to, and neither is set; set one, or name another in the setting `variables`"
        ),
    ]
    ring.now -= timedelta(microseconds=1)
    assert ring.findings(keys)[0].startswith("never")


def test_a_setting_that_cannot_be_read(ring: Ring) -> None:
    """A key's table that is wrong is a finding, and the rest is looked at."""
    ring.make("a")

    assert ring.findings({"a": {"rotate_every": {"env": "TEST_KEY_NOT_SET"}}}) == [
        (
            "configuration: given settings: keys.a.rotate_every points to the environment variable TEST_KEY_NOT_SET, "
            "which is not set; set it"
        )
    ]


def test_names_without_a_primary(ring: Ring) -> None:
    """Told with the reason, but not of a name whose versions were all destroyed and that nobody declares."""
    ring.make("compromised", "disabled", "ended")
    with ring.open() as opened:
        opened.generate("later", activates=NOW + timedelta(days=1))
        opened.compromise("compromised")
        opened.disable("disabled")
        opened.destroy("ended")
    older = "and an older one never takes its place"

    said = [
        f"compromised in store 'file': no version signs: version 1 is compromised, {older}; rotate to make a new one",
        f"disabled in store 'file': no version signs: version 1 is disabled, {older}; enable it again, or rotate",
        (
            "later in store 'file': no version signs: version 1 is announced and signs from 2027-01-02 12:00:00 UTC; "
            "wait until then, or rotate to make one that signs at once"
        ),
    ]
    assert ring.findings() == said
    assert ring.findings({"ended": {}}) == [
        *said[:2],
        f"ended in store 'file': no version signs: version 1 is destroyed, {older}; rotate to make a new one",
        said[2],
    ]


def test_declared_keys_in_a_chain(ring: Ring) -> None:
    """What is due, was never made, or lies where the chain does not write is told of a chain, too."""
    ring.make("old")
    ring.now += timedelta(days=91)
    chained = {"both": {"backend": "chain", "stores": ["file", "db"], "write_to": "db"}, **ring.stores}
    keys: dict[str, object] = {
        "never": {"store": "both"},
        "old": {"store": "both", "rotate_every": "90d"},
    }

    assert ring.findings(keys, stores=chained) == [
        (
            "never in chain 'both': is declared as keys.never, and no version of it was ever made; run `keywright "
            "ensure never`"
        ),
        (
            "old in chain 'both': its rotation is overdue: version 1 was made at 2027-01-01T12:00:00Z, and "
            "keys.old.rotate_every is 90d; run `keywright rotate --due old`"
        ),
        (
            "old in chain 'both': old is in store 'file', and the chain 'both' writes to 'db'; move it with `keywright "
            "migrate --from file --to db old`, or name store 'file'"
        ),
    ]
