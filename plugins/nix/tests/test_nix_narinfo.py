"""Narinfos: read strictly, written back byte for byte, and the fingerprint that signatures cover."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keywright_nix
from keywright.errors import FormatError, MalformedKeyError
from keywright_nix.narinfo import MAXIMUM_BYTES, NarInfo
from keywright_nix.store_path import encode_base32

PATH = "/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin"
HASH = "0ix4jahrkll5zg01wandq78jw3ab30q4nscph67rniqg5x7r0j59"
ONE = "0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0"
TWO = "6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115"
DERIVER = "5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0.drv"
# The example of Nix's own manual page and unit tests for `.narinfo` is built like this one.
TEXT = f"""StorePath: {PATH}
URL: nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz
Compression: xz
FileHash: sha256:1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3
FileSize: 4029176
NarHash: sha256:{HASH}
NarSize: 196040
References: {TWO} {ONE} {TWO}
Deriver: {DERIVER}
Sig: b-1:xyz
CA: fixed:r:sha256:{HASH}
"""
FINGERPRINT = f"1;{PATH};sha256:{HASH};196040;/nix/store/{ONE},/nix/store/{TWO}".encode()


def changed(old: str, new: str) -> str:
    """The narinfo with one thing changed."""
    assert old in TEXT
    return TEXT.replace(old, new)


def test_what_is_read() -> None:
    """The fields are there by name, the signatures in their order."""
    info = NarInfo.parse(TEXT)

    assert (info.store_path, info.nar_size, info.references) == (PATH, 196040, (TWO, ONE, TWO))
    assert encode_base32(info.nar_hash).decode() == HASH
    assert info.signatures == ("b-1:xyz",)
    assert (info.field("Deriver"), info.field("Nothing")) == (DERIVER, None)
    assert repr(info) == f"<narinfo of {PATH}>"


def test_the_fingerprint_has_each_reference_once_and_sorted() -> None:
    """`1;PATH;sha256:BASE32;SIZE;REFERENCES`, however the references stand in the file."""
    assert NarInfo.parse(TEXT).fingerprint() == FINGERPRINT
    assert NarInfo.parse(changed(f"{TWO} {ONE} {TWO}", f"{ONE} {TWO}")).fingerprint() == FINGERPRINT
    assert NarInfo.parse(changed(f"{TWO} {ONE} {TWO}", "")).fingerprint() == FINGERPRINT.rpartition(b";")[0] + b";"


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param("sha256:" + NarInfo.parse(TEXT).nar_hash.hex(), id="hexadecimal"),
        pytest.param("sha256-" + b64encode(NarInfo.parse(TEXT).nar_hash).decode(), id="SRI"),
    ],
)
def test_a_hash_may_be_spelled_in_three_ways(spelled: str) -> None:
    """NarHash in hexadecimal or SRI gives the same fingerprint, in base32."""
    assert NarInfo.parse(changed(f"NarHash: sha256:{HASH}", f"NarHash: {spelled}")).fingerprint() == FINGERPRINT


def test_a_value_may_hold_what_parts_it_from_its_name() -> None:
    """A field ends at its line's end, whatever stands in it."""
    info = NarInfo.parse("X-Note: one: two: three\n" + TEXT)

    assert info.field("X-Note") == "one: two: three"
    assert info.store_path == PATH


def test_the_largest_there_may_be() -> None:
    """8 MiB are read."""
    rest = MAXIMUM_BYTES - len(TEXT) - len("X: \n")

    assert NarInfo.parse(f"{TEXT}X: {'x' * rest}\n").fingerprint() == FINGERPRINT


def test_another_store_directory() -> None:
    """References are in the directory of the store path."""
    info = NarInfo.parse(changed("/nix/store/", "/gnu/store/"))

    assert info.fingerprint() == FINGERPRINT.replace(b"/nix/store/", b"/gnu/store/")


def test_what_was_not_changed_is_written_as_it_was() -> None:
    """Unknown fields, twice too, their order and bytes that are no UTF-8 stay."""
    data = b"X-One: 1\nX-One:  2\n" + TEXT.encode() + b"X-Two: \xff\n"

    assert NarInfo.parse(data).render() == data
    assert NarInfo.parse(data).with_signatures(["b-1:xyz"]).render() == data


def test_signatures_stand_where_the_first_stood_sorted_as_texts() -> None:
    """`a-1:` comes before `a:`, each once."""
    info = NarInfo.parse(TEXT).with_signatures(["b:2", "a:1", "b-1:xyz", "a-1:0", "a:1"])

    assert info.render().decode() == changed("Sig: b-1:xyz\n", "Sig: a-1:0\nSig: a:1\nSig: b-1:xyz\nSig: b:2\n")
    assert info.signatures == ("a-1:0", "a:1", "b-1:xyz", "b:2")
    assert info.fingerprint() == FINGERPRINT


def test_the_first_signatures_stand_before_the_content_address_or_last() -> None:
    """There Nix writes them."""
    without = changed("Sig: b-1:xyz\n", "")
    last = without.replace(f"CA: fixed:r:sha256:{HASH}\n", "")

    assert NarInfo.parse(without).with_signatures(["b-1:xyz"]).render().decode() == TEXT
    assert NarInfo.parse(last).with_signatures(["a:1"]).render().decode() == last + "Sig: a:1\n"
    assert NarInfo.parse(TEXT).with_signatures([]).render().decode() == without


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "x: the last line does not end, so the narinfo was cut short; fetch it again", id="empty"),
        pytest.param(
            TEXT[:-1], "x: the last line does not end, so the narinfo was cut short; fetch it again", id="cut short"
        ),
        pytest.param(
            TEXT.replace("\n", "\r\n"), "x:1: has a carriage return; write plain line feeds", id="CRLF everywhere"
        ),
        pytest.param(
            changed("xz\nFile", "xz\r\nFile"), "x:3: has a carriage return; write plain line feeds", id="CRLF"
        ),
        pytest.param(
            changed("xz\nFile", "xz\n\nFile"), "x:4: is empty; correct it or fetch the narinfo again", id="blank line"
        ),
        pytest.param(TEXT + "\n", "x:12: is empty; correct it or fetch the narinfo again", id="blank line at the end"),
        *(
            pytest.param(
                changed(old, new),
                f"x:{line}: is no field; a field is a name, a colon, a space and a value; correct it or fetch the "
                "narinfo again",
                id=name,
            )
            for old, new, line, name in (
                ("Compression: xz", "Compression", 3, "no colon"),
                ("Compression: xz", "Compression:xz", 3, "no space"),
                ("Compression: xz", ": xz", 3, "no name"),
                ("Compression: xz", " Compression: xz", 3, "leading space"),
                ("Compression: xz", "Sig:xb-1: xyz: ", 3, "two colons"),
            )
        ),
        *(
            pytest.param(
                "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith(name + ":")),
                f"x: the field {name} is missing; fetch the narinfo again",
                id=f"no {name}",
            )
            for name in ("StorePath", "URL", "NarHash", "NarSize", "References")
        ),
        *(
            pytest.param(
                TEXT + next(line for line in TEXT.splitlines(keepends=True) if line.startswith(name + ": ")),
                f"x:12: has the field {name} a second time; leave the right one",
                id=f"{name} twice",
            )
            for name in (
                *("StorePath", "URL", "Compression", "FileHash", "FileSize", "NarHash", "NarSize", "References"),
                *("Deriver", "CA"),
            )
        ),
        pytest.param(
            changed(f"Deriver: {DERIVER}", "System: x\nSystem: x"),
            "x:10: has the field System a second time; leave the right one",
            id="System twice",
        ),
        *(
            pytest.param(
                changed(f"StorePath: {PATH}", f"StorePath: {path}"),
                "x:1: StorePath is no store path; correct it or fetch the narinfo again",
                id=f"store path {path[:30]}",
            )
            for path in (
                PATH.removeprefix("/nix/store/"),
                PATH.removeprefix("/"),
                PATH.replace("syd", "eyd"),
                PATH.replace("syd", "sy"),
                PATH[:44],
                PATH + "/bin",
                PATH + " ",
                PATH + "/",
                PATH.replace("curl", ".-"),
                PATH.replace("curl-7.82.0-bin", ".."),
                PATH.replace("/nix", "/nix/.."),
                PATH + "x" * (211 - len("curl-7.82.0-bin") + 1),
                PATH.replace("curl", "cu,rl"),
                PATH.replace("/nix", "/n,ix"),
                PATH.replace("/nix", "/n;ix"),
                PATH.replace("/nix", "/nix/."),
                PATH.replace("/store", "/.."),
                PATH.replace("/store", "/."),
                PATH.replace("/nix/store", ""),
                PATH.replace("curl", "cürl"),
                PATH.replace("store", "st\x1bore"),
            )
        ),
        *(
            pytest.param(
                changed(f"NarHash: sha256:{HASH}", f"NarHash: {value}"),
                "x:6: NarHash is no SHA-256 in base32, hexadecimal or SRI; correct it or fetch the narinfo again",
                id=f"hash {value[:20]}",
            )
            for value in (
                HASH,
                "",
                f"sha1:{HASH}",
                f"sha512:{HASH}",
                f"sha256:{HASH[:-1]}",
                f"sha256:{HASH}0",
                f"sha256:e{HASH[1:]}",
                f"sha256:2{HASH[1:]}",
                "sha256:" + "A" * 64,
                "sha256:" + "g" * 64,
                "sha256-" + "A" * 43,
                "sha256-" + "A" * 42 + "B=",
                f"sha256-{HASH}",
                "sha512:" + "0" * 103,
                "sha256-" + "A" * 42 + "\0A=",
                *(f"sha256:{HASH[:9]}{odd}{HASH[10:]}" for odd in "_eoutA+ "),
            )
        ),
        *(
            pytest.param(
                changed("NarSize: 196040", f"NarSize: {value}"),
                "x:7: NarSize is no size in bytes: plain digits, below 2 to the 64th, and no 0; correct it or fetch "
                "the narinfo again",
                id=f"size {value[:20]}",
            )
            for value in ("", "0", "-1", "+1", "01", "1.0", "1_0", " 1", "١", str(2**64), "9" * 5000)
        ),
        pytest.param(
            changed("FileSize: 4029176", "FileSize: many"),
            "x:5: FileSize is no size in bytes: plain digits, below 2 to the 64th, and no 0; correct it or fetch the "
            "narinfo again",
            id="file size",
        ),
        pytest.param(
            changed("FileHash: sha256:1w", "FileHash: sha256:ew"),
            "x:4: FileHash is no hash in base32, hexadecimal or SRI; correct it or fetch the narinfo again",
            id="file hash",
        ),
        *(
            pytest.param(
                changed(f"{TWO} {ONE} {TWO}", value),
                "x:8: References has a reference that is no store path's name; correct it or fetch the narinfo again",
                id=f"references {value[:20]}",
            )
            for value in (
                f"{ONE}  {TWO}",
                f"{ONE} ",
                f" {ONE}",
                f"/nix/store/{ONE}",
                "x",
                f"{ONE},{TWO}",
                f"{ONE}\t{TWO}",
            )
        ),
        pytest.param(
            changed(DERIVER, "nobody"),
            "x:9: Deriver is no store path's name; correct it or fetch the narinfo again",
            id="deriver",
        ),
        pytest.param(
            re.sub("URL: .*", "URL: ", TEXT),
            "x:2: URL is empty; correct it or fetch the narinfo again",
            id="no URL",
        ),
        *(
            pytest.param(
                changed(f"CA: fixed:r:sha256:{HASH}", f"CA: {value}"),
                "x:11: CA is no content address of Nix's; correct it or fetch the narinfo again",
                id=f"content address {value[:20]}",
            )
            for value in (
                "",
                "x",
                "text:",
                "fixed:",
                f"sha256:{HASH}",
                f"text:{HASH}",
                f"text:r:sha256:{HASH}",
                f"text:sha256:{HASH[:-1]}",
                f"text:sha256:2{HASH[1:]}",
                "text:md5:" + "0" * 26,
                "text:sha1:" + "0" * 32,
                "text:sha512:" + "0" * 103,
                f"text:sha256:{HASH} ",
                f" text:sha256:{HASH}",
                f"fixed:{HASH}",
                f"fixed:x:sha256:{HASH}",
                f"fixed:r:r:sha256:{HASH}",
                f"fixed:git:r:sha256:{HASH}",
                "fixed:git:md5:" + "0" * 26,
                "fixed:git:sha512:" + "0" * 103,
                f"fixed:r:sha1:{HASH}",
                f"fixed:sha257:{HASH}",
                "fixed:r:sha256-" + "A" * 43 + "=",
                f"fixed:r:sha256:{HASH}:",
                f"Fixed:r:sha256:{HASH}",
            )
        ),
        pytest.param(
            "A" * (MAXIMUM_BYTES + 1), f"x: has more than {MAXIMUM_BYTES} bytes; this is no narinfo", id="large"
        ),
    ],
)
def test_what_is_no_narinfo_is_refused_with_its_line(text: str, message: str) -> None:
    """Each rule, with the file's name and the line, and nothing of what stands there."""
    with pytest.raises(FormatError) as caught:
        NarInfo.parse(text, where="x")

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("FileSize: 4029176", "FileSize: 0"), id="empty file"),
        pytest.param((f"Deriver: {DERIVER}", "Deriver: unknown-deriver"), id="unknown deriver"),
        pytest.param(("curl-7.82.0-bin", ".hidden"), id="name with a dot"),
        pytest.param(("curl-7.82.0-bin", "..."), id="name of dots"),
        pytest.param(("curl-7.82.0-bin", "+-._?=09azAZ"), id="name of all that it may have"),
        pytest.param(("curl-7.82.0-bin", "x" * 211), id="longest name"),
        pytest.param(("/nix/store", "/!#$%&'()*+-.09:<=>?@AZ[]^_`az{|}~/..."), id="store of all that it may have"),
        pytest.param(("/nix/store", "/n"), id="store of one part"),
        pytest.param(("NarSize: 196040", f"NarSize: {2**64 - 1}"), id="largest size"),
        pytest.param(
            ("FileHash: sha256:1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3\n", ""), id="no file hash"
        ),
        pytest.param(
            ("FileHash: sha256:1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3", "FileHash: md5:" + "0" * 32),
            id="MD5",
        ),
        pytest.param((f"CA: fixed:r:sha256:{HASH}\n", ""), id="no content address"),
        *(
            pytest.param((f"CA: fixed:r:sha256:{HASH}", f"CA: {value}"), id=value[:16])
            for value in (
                f"text:sha256:{HASH}",
                f"fixed:sha256:{HASH}",
                f"fixed:git:sha256:{HASH}",
                "fixed:git:sha1:" + "0" * 32,
                "fixed:r:md5:" + "0" * 26,
                "fixed:r:sha1:" + "0" * 32,
                "fixed:sha1:" + "a" * 40,
                f"fixed:r:blake3:{HASH}",
                "fixed:r:sha512:" + "0" * 103,
                "text:sha256:" + "0" * 64,
            )
        ),
    ],
)
def test_what_nix_takes_too_is_read(change: tuple[str, str]) -> None:
    """What is odd and sound is read."""
    text = changed(*change)

    assert NarInfo.parse(text).render().decode() == text


_LINES = st.lists(st.sampled_from([*TEXT.splitlines(), "", " ", "Sig: ", "\0"]))


@given(data=st.binary() | _LINES.map(lambda lines: "\n".join([*lines, ""]).encode()))
def test_any_bytes_are_a_narinfo_or_refused(data: bytes) -> None:
    """Nothing but FormatError comes out, and what is read is written back."""
    try:
        info = NarInfo.parse(data)
    except FormatError as error:
        told = str(error).splitlines()
    else:
        told = [""]
        assert info.render() == data

    assert len(told) == 1


def test_a_key_that_is_none_is_no_trusted_key() -> None:
    """`verify` takes public keys of Nix's alone."""
    with pytest.raises(MalformedKeyError):
        NarInfo.parse(TEXT).verify(["a:b"])


def test_the_package_has_the_public_names() -> None:
    """`NarInfo` and its companions are there without a module's name, and nothing else is."""
    assert keywright_nix.NarInfo is NarInfo
    assert callable(keywright_nix.verify_signature)
    assert callable(keywright_nix.realisation_fingerprint)
    with pytest.raises(AttributeError) as caught:
        keywright_nix.nothing  # type: ignore[attr-defined]  # noqa: B018  (that it is asked for is the test)

    assert str(caught.value) == "module 'keywright_nix' has no attribute 'nothing'"
