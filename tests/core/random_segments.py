"""Random segments and stages, and triggers that time or a segment fires; the journeys are `one` and `two`."""

from __future__ import annotations

from hypothesis import strategies as st

from journeyflow.core.values import JSON

Document = dict[str, JSON]

SEGMENTS = ["alpha", "beta", "gamma"]
STAGES = ["new", "known", "loyal"]
TOPICS: JSON = [{"id": "offers", "name": "Offers"}, {"id": "account", "name": "Account", "transactional": True}]
_events = st.sampled_from(["A", "B", "C"])
_durations = st.sampled_from(["1m", "10m", "1h", "3h"])
_small = st.integers(0, 3)

of_contacts: st.SearchStrategy[JSON] = st.one_of(
    st.builds(lambda tag: {"tag": tag}, st.sampled_from(["x", "y"])),
    st.builds(lambda number: {"attribute": "n", "gte": number}, _small),
    st.builds(lambda offset: {"attribute": "day", "before": offset}, st.sampled_from(["2h", "-1h"])),
    st.just({"attribute": "day", "anniversary_in": "1d"}),
    st.just({"attribute": "created_at", "before": "-3h"}),
    st.just({"topic": "offers"}),
    st.just({"local_time": {"from": "10:00", "to": "12:30"}}),
    st.builds(lambda name, within: {"event": name, "within": within}, _events, _durations),
    st.builds(lambda name, within: {"event": name, "within": within, "count": {"eq": 0}}, _events, _durations),
    st.builds(
        lambda name, number: {"event": name, "where": {"property": "n", "gte": number}, "count": {"lt": 2}},
        _events,
        _small,
    ),
    st.just({"event": "A", "sum": "n", "gte": {"ref": "contact.n"}}),
    st.builds(
        lambda name: {"event": "Segment Entered", "where": {"property": "segment", "eq": name}}, st.just("alpha")
    ),
    st.builds(lambda journey: {"in_journey": journey}, st.sampled_from(["one", "two"])),
    st.builds(
        lambda journey, within: {"been_in_journey": journey, **within},
        st.sampled_from(["one", "two"]),
        st.sampled_from([{}, {"within": "30m"}, {"within": "3h"}]),
    ),
)
of_standing: st.SearchStrategy[JSON] = st.one_of(
    st.builds(lambda name: {"segment": name}, st.sampled_from(SEGMENTS)),
    st.builds(lambda stage: {"attribute": "stage", "eq": stage}, st.sampled_from(STAGES)),
)


def _combined(leaves: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    return st.one_of(
        leaves,
        leaves,
        st.builds(lambda parts: {"all": parts}, st.lists(leaves, min_size=1, max_size=2)),
        st.builds(lambda parts: {"any": parts}, st.lists(leaves, min_size=1, max_size=2)),
        st.builds(lambda part: {"not": part}, leaves),
    )


def _segment(name: str, *known: JSON) -> st.SearchStrategy[Document]:
    leaves = st.one_of(of_contacts, *[st.just(one) for one in known])
    return st.builds(lambda when: {"segment": name, "when": when}, _combined(leaves))


segments: st.SearchStrategy[list[Document]] = st.builds(
    lambda *some: [*some],
    _segment("alpha"),
    _segment("beta", {"segment": "alpha"}),
    _segment("gamma", {"segment": "alpha"}, {"segment": "beta"}, {"attribute": "stage", "ne": "known"}),
)
stages: st.SearchStrategy[JSON] = st.builds(
    lambda known, loyal: [
        {"id": "new", "when": {"all": []}},
        {"id": "known", "when": known},
        {"id": "loyal", "when": loyal},
    ],
    _combined(of_contacts),
    _combined(st.one_of(of_contacts, st.just({"segment": "beta"}))),
)
stage_nodes: st.SearchStrategy[Document] = st.builds(
    lambda stage: {"type": "stage", "to": stage}, st.sampled_from(STAGES)
)

_named = st.sampled_from(SEGMENTS)
timed_triggers: st.SearchStrategy[Document] = st.one_of(
    st.builds(lambda name: {"type": "segment", "entered": name}, _named),
    st.builds(lambda name: {"type": "segment", "left": name}, _named),
    st.builds(lambda name: {"type": "segment", "entered": name, "include_members": True}, _named),
    st.sampled_from([{"type": "topic", "subscribed": "offers"}, {"type": "topic", "unsubscribed": "offers"}]),
    st.builds(
        lambda more: {"type": "date", "attribute": "day", **more},
        st.sampled_from([{}, {"at": "12:00"}, {"offset": "1d"}, {"yearly": True}, {"yearly": True, "offset": "-1d"}]),
    ),
    st.just({"type": "date", "attribute": "created_at", "offset": "1d"}),
    st.builds(
        lambda name, more: {"type": "schedule", "segment": name, **more},
        _named,
        st.sampled_from(
            [
                {"cron": "30 */4 * * *"},
                {"cron": "0 9,12 * * *", "timezone": "local"},
                {"cron": "0 11 * * mon", "timezone": "Asia/Tokyo"},
                {"at": "2026-03-02T12:00:00Z"},
                {"at": "2026-03-02T10:00:00Z"},
                {"at": "2026-03-03T09:00", "timezone": "local"},
            ]
        ),
    ),
    st.builds(
        lambda name, after: {"type": "inactivity", "event": name, "for": after, "include_silent": True},
        _events,
        _durations,
    ),
)
