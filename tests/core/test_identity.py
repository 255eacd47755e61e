from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote_from_bytes

import pytest
from builders import a_context
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.identity import LEARNED_MAX, Applications, Identity, Who, credential_of, fingerprint, folded

KEY = b"sixteen bytes at least"
TOKEN = b"nyk_v0_secret"
GRANT = "5967ca40-a2d8-4ee0-a0e0-6f18ace39a90"
BEARER = b"Bearer " + TOKEN
APPLICATION = Identity(KEY).who(a_context(b"/v3/webhooks"), BEARER).application


def basic(name: bytes, password: bytes = b"") -> bytes:
    return b"Basic " + b64encode(name + b":" + password)


def who(target: str, authorization: bytes = BEARER, *, identity: Identity | None = None, applications: Applications = "single") -> Who:
    return (identity or Identity(KEY, applications=applications)).who(a_context(target.encode()), authorization)


def subject(target: str, authorization: bytes = BEARER, *, identity: Identity | None = None) -> str:
    return who(target, authorization, identity=identity).subject


def learn(identity: Identity, name: str, grant_id: str) -> None:
    identity.learn(APPLICATION, identity.named(name.encode()), identity.grant(grant_id.encode()))


def paths(*grants: str) -> list[str]:
    return [f"/v3/grants/{grant}/x" for grant in grants]


def application(target: str, authorization: bytes, applications: Applications) -> str:
    return who(target, authorization, applications=applications).application


@pytest.mark.parametrize(
    ("authorization", "credential"),
    [
        (b"Bearer token", b"token"),
        (b"bearer   token ", b"token"),
        (b"BEARER token", b"token"),
        (b"Bearer", b""),
        (basic(b"token"), b"token"),
        (b"basic " + b64encode(b"token:"), b"token"),
        (b"Basic  " + b64encode(b"token"), b"token"),
        (basic(b"client", b"secret"), b"client:secret"),
        (basic(b"client", b"with:colon"), b"client:with:colon"),
        (basic(b"", b"secret"), b":secret"),
        (b"Basic x", b"Basic x"),
        (b"Basic", b""),
        (b"Negotiate abc", b"Negotiate abc"),
        (b"  token  ", b"token"),
        (b"", b""),
    ],
)
def test_a_credential_is_what_the_field_proves(authorization: bytes, credential: bytes) -> None:
    assert credential_of(authorization) == credential


@given(token=st.binary(min_size=1, max_size=40).filter(lambda token: b":" not in token and token == token.strip()))
def test_bearer_and_basic_of_one_token_are_one_account(token: bytes) -> None:
    assert subject("/messages", b"Bearer " + token) == subject("/threads", basic(token)) == subject("/v3/grants/me/messages", b"Bearer " + token)


@given(name=st.binary(max_size=40), mask=st.lists(st.booleans(), max_size=40))
def test_spelling_does_not_make_another_grant(name: bytes, mask: list[bool]) -> None:
    in_some_case = bytes(byte ^ 0x20 if flip and bytes([byte]).isalpha() else byte for byte, flip in zip(name, [*mask, *[False] * 40], strict=False))
    plain = name.replace(b"%", b"%25")
    assert folded(plain) == name.lower()
    assert folded(quote_from_bytes(in_some_case, safe="").encode()) == name.lower()
    assert folded("".join(f"%{byte:02x}" for byte in in_some_case).encode()) == name.lower()


@given(name=st.text(min_size=1, max_size=20), other=st.text(min_size=1, max_size=20))
def test_two_grants_are_one_only_if_their_names_fold_together(name: str, other: str) -> None:
    identity = Identity(KEY)
    names = [quote_from_bytes(one.encode("utf-8", "surrogatepass"), safe="").encode() for one in (name, other)]
    assert (identity.grant(names[0]) == identity.grant(names[1])) == (folded(names[0]) == folded(names[1]))


def test_percent_signs_are_decoded_once() -> None:
    assert folded(b"a%2540b") == b"a%40b" != folded(b"a%40b")


def test_a_plus_is_a_plus_in_a_path() -> None:
    assert subject("/v3/grants/leyla+x%40example.com/events") == subject("/v3/grants/LEYLA%2Bx@Example.com/messages")
    assert subject("/v3/grants/leyla+x@example.com/events") != subject("/v3/grants/leyla%20x@example.com/events")


@pytest.mark.parametrize("me", ["me", "ME", "%6D%65"])
def test_me_is_the_credential(me: str) -> None:
    path = f"/v3/grants/{me}/messages"
    assert subject(path, b"Bearer one") == subject("/messages", b"Bearer one") != subject(path, b"Bearer two")


def test_a_grant_is_the_same_whoever_asks_for_it() -> None:
    assert subject(f"/v3/grants/{GRANT}/messages", b"Bearer one") == subject(f"/v3/grants/{GRANT}/events", b"Bearer two")
    assert subject(f"/v3/grants/{GRANT}") == Identity(KEY).grant(GRANT.upper().encode())


@pytest.mark.parametrize("path", ["/a/client", "/a/client/accounts/1", "/a/client?limit=1", "/component/client/c"])
def test_a_path_of_v2_that_names_its_client_belongs_to_it_whatever_the_secret(path: str) -> None:
    assert subject(path, basic(b"old secret")) == subject("/a/client/webhooks", basic(b"new secret"))
    assert subject(path) != subject("/a/another")


def test_things_of_different_kinds_never_meet() -> None:
    same = "abc"
    told = who("/v3/webhooks", same.encode(), applications="credential").application
    assert len({subject(f"/v3/grants/{same}/x"), subject("/messages", same.encode()), subject(f"/a/{same}"), who("/v3/webhooks").application}) == 4
    assert told == subject("/messages", same.encode())


def test_a_path_of_the_application_belongs_to_the_application() -> None:
    assert len(set(who("/v3/webhooks"))) == 1


def test_all_credentials_are_one_application_where_nothing_is_said() -> None:
    paths = ("/v3/webhooks", f"/v3/grants/{GRANT}/messages", "/messages", "/a/client")
    assert len({application(path, credential, "single") for path in paths for credential in (b"Bearer one", b"Bearer two", b"")}) == 1


def test_each_credential_is_its_own_application_where_settings_say_so() -> None:
    def of(path: str, credential: bytes) -> str:
        return application(path, credential, "credential")

    assert of("/v3/webhooks", b"Bearer one") == of(f"/v3/grants/{GRANT}/x", b"Bearer one") == of("/messages", basic(b"one"))
    assert of("/v3/webhooks", b"Bearer one") != of("/v3/webhooks", b"Bearer two")
    assert of("/a/client", basic(b"old secret")) == of("/a/client/webhooks", basic(b"new secret"))


def test_a_map_tells_which_credentials_are_one_application_and_the_rest_is_one_more() -> None:
    listed = {fingerprint(b"one"): "shop", fingerprint(b"two"): "shop", fingerprint(b"three"): "desk"}
    one, two, three, four, nobody = (
        application("/messages", b"Bearer " + name if name else b"", listed) for name in (b"one", b"two", b"three", b"four", b"")
    )
    assert one == two
    assert four == nobody
    assert len({one, three, four}) == 3
    assert application(f"/v3/grants/{GRANT}/x", b"Bearer one", listed) == application("/a/client", basic(b"two"), listed) == one


def test_a_fingerprint_is_what_every_unix_can_make() -> None:
    assert fingerprint(b"abc") == "ba7816bf8f01cfea"


def test_given_aliases_fold_and_the_order_does_not_matter() -> None:
    names = {"leyla@example.com": GRANT, "Old%40example.com": "leyla@example.com", "x": "old@example.com"}
    for aliases in (names, dict(reversed(names.items()))):
        identity = Identity(KEY, aliases=aliases)
        assert len({subject(f"/v3/grants/{name}/x", identity=identity) for name in (*names, GRANT)}) == 1
        assert subject("/v3/grants/another/x", identity=identity) != identity.grant(GRANT.encode())


def test_the_id_stands_for_the_names_that_settings_give_and_what_is_learned_of_it_holds_for_them() -> None:
    for aliases in ({GRANT: "leyla%40example.com", "old@example.com": "leyla@example.com"}, {"leyla@example.com": GRANT}):
        assert Identity(KEY, aliases=aliases).grant(b"leyla@example.com") == Identity(KEY).grant(GRANT.encode())
    identity = Identity(KEY, aliases={"old@example.com": "leyla@example.com"})
    learn(identity, "leyla@example.com", GRANT)
    assert subject("/v3/grants/old@example.com/x", identity=identity) == identity.grant(GRANT.encode())


def test_all_names_that_are_learned_are_one_grant() -> None:
    identity = Identity(KEY)
    identity.learn(APPLICATION, subject("/v3/grants/me/x"), identity.grant(b"id"))
    learn(identity, "a@example.com", "id")
    assert {subject(path, identity=identity) for path in (*paths("id", "a@example.com", "me"), "/messages")} == {identity.grant(b"id")}


def test_two_ids_with_one_address_are_two_grants_and_the_latest_has_the_address() -> None:
    identity = Identity(KEY)
    learn(identity, "same@example.com", "one")
    learn(identity, "same@example.com", "two")
    one, two, address = (identity.named(name) for name in (b"one", b"two", b"same@example.com"))
    assert [subject(path, identity=identity) for path in paths("one", "two", "same@example.com")] == [one, two, two]
    assert (identity.others(APPLICATION, one), identity.others(APPLICATION, two)) == ((), (address,))


def test_an_id_is_never_taken_for_another_one() -> None:
    identity = Identity(KEY, aliases={"given@example.com": "settled"})
    learn(identity, "one", "two")
    learn(identity, "one", "one")
    for name in ("one", "settled", "given@example.com"):
        learn(identity, name, "two")
    expected = [identity.named(name) for name in (b"one", b"two", b"settled", b"settled")]
    assert [subject(path, identity=identity) for path in paths("one", "two", "settled", "given@example.com")] == expected
    assert identity.others(APPLICATION, identity.named(b"two")) == ()


@pytest.mark.parametrize("path", ["/v3/grants/a@example.com/x", "/v3/grants/me/x", "/messages"])
def test_what_is_learned_in_one_application_does_not_concern_another(path: str) -> None:
    listed = {fingerprint(b"one"): "shop", fingerprint(b"two"): "desk"}
    identity = Identity(KEY, applications=listed)
    before = {token: who(path, token, identity=identity) for token in (b"Bearer one", b"Bearer two")}
    for _, known_as in before.values():
        identity.learn(before[b"Bearer one"].application, known_as, "id")
    assert who(path, b"Bearer one", identity=identity).subject == "id"
    assert who(path, b"Bearer two", identity=identity) == before[b"Bearer two"]
    assert identity.others(before[b"Bearer two"].application, "id") == ()


def test_what_a_grant_is_known_as_is_told_the_latest_few_first() -> None:
    identity = Identity(KEY)
    for name in ("1", "2", "3", "4", "2"):
        identity.learn(APPLICATION, name, "id")
    assert identity.others(APPLICATION, "id") == ("2", "4", "3")
    assert identity.others(APPLICATION, "2") == ()


def test_what_grants_were_known_as_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.core.identity.LEARNED_MAX", 4)
    identity = Identity(KEY)
    for number in range(5):
        identity.learn(APPLICATION, f"alias {number}", f"subject {number}")
        assert len(identity._learned) <= 4
    assert [bool(identity.others(APPLICATION, f"subject {number}")) for number in range(5)] == [False, False, False, True, True]
    assert len(identity._others) <= 4


def test_a_name_on_its_own_is_known_as_what_it_was_before_anything_was_learned() -> None:
    identity = Identity(KEY, aliases={"a": "b"})
    assert identity.named(b"A") != identity.grant(b"A") == identity.grant(b"b") == identity.named(b"b")


@given(pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_names_that_settings_say_are_one_grant_are_one_and_no_others(pairs: list[tuple[int, int]]) -> None:
    aliases = {str(one): str(two) for one, two in pairs}
    groups = [{str(number)} for number in range(8)]
    for one, two in aliases.items():
        both = next(group for group in groups if one in group) | next(group for group in groups if two in group)
        groups = [*(group for group in groups if not group & both), both]
    identity = Identity(KEY, aliases=aliases)
    for one in map(str, range(8)):
        for two in map(str, range(8)):
            assert (identity.grant(one.encode()) == identity.grant(two.encode())) == any({one, two} <= group for group in groups)


@given(said=st.lists(st.tuples(st.sampled_from(["a@x", "b@x", "c@x"]), st.sampled_from(["1", "2", "3"])), max_size=12))
def test_whatever_is_learned_an_address_is_the_grant_that_has_it_last_and_ids_are_apart(said: list[tuple[str, str]]) -> None:
    identity = Identity(KEY)
    for name, of in said:
        learn(identity, name, of)
    for name, of in {**dict(said), "1": "1", "2": "2", "3": "3"}.items():
        assert subject(f"/v3/grants/{name}/x", identity=identity) == identity.grant(of.encode())


def test_what_is_learned_is_bounded_and_what_is_given_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.core.identity.LEARNED_MAX", 6)
    identity = Identity(KEY, aliases={"a": "b"})
    for number in range(5):
        identity.learn(APPLICATION, f"alias {number}", f"subject {number}")
    found = [identity.resolved(APPLICATION, f"alias {number}") for number in range(5)]
    assert found == ["alias 0", "alias 1", "subject 2", "subject 3", "subject 4"]
    assert identity.grant(b"a") == identity.grant(b"b")
    assert LEARNED_MAX <= 10_000


@pytest.mark.parametrize("key", [b"", b"k" * 15, b"k" * 65])
def test_a_key_too_short_or_too_long_is_refused_without_being_shown(key: bytes) -> None:
    with pytest.raises(ValueError, match=f"needs 16 to 64 bytes, not {len(key)}") as refusal:
        Identity(key)
    assert "kkk" not in str(refusal.value)


def test_subjects_depend_on_the_key_and_on_nothing_else() -> None:
    path = f"/v3/grants/{GRANT}/x"
    assert subject(path) == subject(path, identity=Identity(KEY)) != subject(path, identity=Identity(KEY + b"!"))


@given(token=st.binary(min_size=8, max_size=40), grant=st.binary(min_size=8, max_size=40), applications=st.sampled_from(["single", "credential"]))
def test_nothing_shows_a_token_or_a_name(token: bytes, grant: bytes, applications: Applications) -> None:
    token, grant = b"~token~" + token, b"~name~" + grant  # not a word that the code itself uses
    identity = Identity(KEY, applications=applications)
    for target in (f"/v3/grants/{quote_from_bytes(grant, safe='')}/x", "/v3/grants/me/x", "/messages"):
        found = who(target, b"Bearer " + token, identity=identity)
        shown = f"{found!r} {identity!r} {vars(identity)!r}"
        assert all(len(part) == 32 and set(part) <= set("0123456789abcdef") for part in found)
        assert token.hex() not in shown
        assert repr(token)[2:-1] not in shown
        assert repr(grant)[2:-1] not in shown


@pytest.mark.parametrize(("applications", "is_sole"), [("single", True), ("credential", False), ({fingerprint(TOKEN): "shop"}, False)])
def test_there_is_a_sole_application_where_settings_say_so_alone(applications: Applications, is_sole: bool) -> None:
    sole = Identity(KEY, applications=applications).sole_application
    assert sole == (application("/v3/webhooks", BEARER, applications) if is_sole else None)
