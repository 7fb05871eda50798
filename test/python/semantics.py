"""Whether two OTLP requests say the same: envelopes and attribute order aside, everything counts."""

from __future__ import annotations

from typing import Any


def key_values(values: Any) -> Any:
    return sorted((kv.key, value_of(kv.value)) for kv in values)


def value_of(value: Any) -> str:
    return value.SerializeToString(deterministic=True).hex()


def plain(message: Any, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """A message as comparable data; absent and default fields with presence are told apart."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name in skip:
            continue
        if field.name in ("attributes", "filtered_attributes"):
            found[field.name] = key_values(value)
        elif field.is_repeated:
            found[field.name] = [plain(one) if field.message_type else repr(one) for one in value]
        elif field.message_type and field.message_type.name == "AnyValue":
            found[field.name] = value_of(value)
        else:
            found[field.name] = plain(value) if field.message_type else repr(value)
    return found


def records(message: Any) -> list[str]:
    """Each record with the envelopes it lies in, as text."""
    found: list[str] = []
    (outer,) = (value for _, value in message.ListFields()) if message.ListFields() else ([],)
    for resource in outer:
        about = [plain(resource.resource) if resource.HasField("resource") else None, resource.schema_url]
        scopes = next(value for field, value in resource.ListFields() if field.name.startswith("scope_"))
        for scope in scopes:
            inner = [*about, plain(scope.scope) if scope.HasField("scope") else None, scope.schema_url]
            for field, value in scope.ListFields():
                if field.name in ("spans", "log_records"):
                    found += [repr([inner, plain(record)]) for record in value]
                elif field.name == "metrics":
                    found += [repr([inner, *point]) for metric in value for point in points(metric)]
    return found


def points(metric: Any) -> list[list[Any]]:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    about = [metric.name, metric.description, metric.unit, key_values(metric.metadata), kind]
    return [[*about, plain(data, skip=("data_points",)), plain(point)] for point in data.data_points]


def same_content(found: Any, expected: Any) -> None:
    """Assert that both requests hold the same records. Their order across envelopes has no meaning."""
    left, right = sorted(records(found)), sorted(records(expected))
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one == other
