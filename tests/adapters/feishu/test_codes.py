"""What a code calls for, and what operators are told to do about it."""

import pytest

from adapters.feishu.codes import Kind, Refused, advice

SCOPE_WORDS = (
    "Access denied. One of the following scopes is required: [im:message, im:message:readonly]."
    "应用尚未开通所需的应用身份权限：[im:message, im:message:readonly]，点击链接申请并开通任一权限即可："
    "https://open.feishu.cn/app/cli_a1/auth?q=im:message,im:message:readonly&op_from=openapi&token_type=tenant"
)


def refused(code: int, msg: str = "", status: int = 400) -> Refused:
    return Refused(status=status, code=code, msg=msg, log_id="202611210001")


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Kind.WAIT, (99991400, 230020, 11232)),
        (Kind.TOKEN, (99991663, 99991664, 99991668, 99991677)),
        (Kind.CREDENTIALS, (10003, 10014)),
        (Kind.SCOPE, (99991672, 99991679, 230027)),
        (Kind.CAPABILITY, (230006, 234007)),
        (Kind.FORBIDDEN, (230002, 230018)),
        (Kind.OUT_OF_RANGE, (230013, 41050)),
        (Kind.SENSITIVE, (230022,)),
        (Kind.GONE, (230011, 231003, 230019)),
        (Kind.NOT_OURS, (230017,)),
        (Kind.TOO_LARGE, (234006, 230025)),
        (Kind.OURS, (230001, 230099, 99992402, 234001, 234010)),
        (Kind.OTHER, (234043, 424242)),
    ],
)
def test_every_code_calls_for_one_thing(kind: Kind, codes: tuple[int, ...]) -> None:
    assert [refused(code).kind for code in codes] == [kind] * len(codes)


@pytest.mark.parametrize(("status", "kind"), [(429, Kind.WAIT), (413, Kind.TOO_LARGE), (400, Kind.OTHER)])
def test_a_code_that_nobody_knows_is_read_by_its_status(status: int, kind: Kind) -> None:
    assert refused(424242, status=status).kind is kind


def test_the_operator_is_told_which_scopes_to_grant_and_where() -> None:
    told = str(advice(refused(99991672, SCOPE_WORDS)))

    assert "im:message, im:message:readonly" in told
    assert "https://open.feishu.cn/app/cli_a1/auth?q=im:message,im:message:readonly&op_from=openapi" in told


def test_a_link_that_is_not_feishus_own_is_not_handed_on() -> None:
    told = str(advice(refused(99991672, SCOPE_WORDS.replace("open.feishu.cn", "open.feishu.cn.example.org"))))

    assert "im:message" in told
    assert "http" not in told


def test_a_scope_without_a_name_sends_the_operator_to_the_doctor() -> None:
    assert "doctor" in str(advice(refused(230027, "No permission")))


@pytest.mark.parametrize(
    ("msg", "scopes"),
    [
        ("Lack of necessary permissions, ext=need scope: im:message.group_msg", ("im:message.group_msg",)),
        ("ext=need scope: im:message.group_msg, log_id: 20261121.", ("im:message.group_msg",)),
        ("One of [ext: im] is required", ()),
    ],
)
def test_a_scope_is_read_where_it_stands_without_brackets_too(msg: str, scopes: tuple[str, ...]) -> None:
    assert refused(230027, msg).scopes == scopes
    assert "im:message.group_msg" in str(advice(refused(230027, msg)))


def test_an_operator_is_told_of_the_range_in_which_the_app_sees_people() -> None:
    told = str(advice(refused(41050, "no user authority error")))

    assert "the range of contacts that the app may see" in told
    assert "publish a version" in told


def test_nobody_is_advised_about_what_a_person_did() -> None:
    assert [advice(refused(code)) for code in (230022, 230011, 230013, 230020)] == [None] * 4


def test_the_text_of_a_refusal_repeats_nothing_that_was_sent() -> None:
    error = refused(230099, "card: a secret plan; token t-g1044ghJRUIJJ5ELN7UJ3GPXNYM2ULHT is bad")

    assert str(error) == "code 230099, HTTP 400, log_id 202611210001"
    assert "t-g1044" not in error.msg
