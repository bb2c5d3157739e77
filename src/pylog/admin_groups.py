"""GroupAdmin: AdminClient's calls on consumer groups.

Who is a member is in the folder's shared state, what was committed in `__consumer_offsets`
(group/standing.py). What changes a group is done while its mutex is held, so that no member joins
or commits in between. Error codes are Kafka's.
"""

import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pylog.admin_arguments import take_options
from pylog.admin_base import AdminBase
from pylog.admin_group_arguments import (
    check_altered,
    check_deleted,
    check_listed,
    require_enums,
    require_group_ids,
)
from pylog.admin_group_types import (
    ConsumerGroupDescription,
    ConsumerGroupListing,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    GroupMember,
    GroupMetadata,
    ListConsumerGroupsResult,
    MemberAssignment,
    MemberDescription,
)
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import refuse
from pylog.group import commits
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.consumer_member import ConsumerGroupState as NewerState
from pylog.group.group_types import GroupState, Member
from pylog.group.offset_table import Partition
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata, offset_refusal
from pylog.group.shared_group import SharedGroup
from pylog.group.standing import Standing, find_standing, known_groups, standing_of
from pylog.metadata import BROKER_ID, BrokerMetadata
from pylog.types import OFFSET_INVALID, TopicPartition

_STATES = {
    GroupState.EMPTY: ConsumerGroupState.EMPTY,
    GroupState.PREPARING_REBALANCE: ConsumerGroupState.PREPARING_REBALANCING,
    GroupState.COMPLETING_REBALANCE: ConsumerGroupState.COMPLETING_REBALANCING,
    GroupState.STABLE: ConsumerGroupState.STABLE,
    GroupState.DEAD: ConsumerGroupState.DEAD,
    # confluent_kafka has no words for what a group of the newer protocol goes through.
    NewerState.EMPTY: ConsumerGroupState.EMPTY,
    NewerState.ASSIGNING: ConsumerGroupState.UNKNOWN,
    NewerState.RECONCILING: ConsumerGroupState.UNKNOWN,
    NewerState.STABLE: ConsumerGroupState.STABLE,
}
# What Kafka answers partition by partition when a whole commit is refused.
_COMMIT_REFUSALS = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_GROUP_ID,
    }
)


class GroupAdmin(AdminBase):
    """Lists, describes and deletes groups, and lists, alters and deletes their offsets."""

    # ---- groups ----

    def list_consumer_groups(self, **options: Any) -> "Future[ListConsumerGroupsResult]":
        """List the groups that have members, offsets or had members.

        Args:
            options: states (a set of ConsumerGroupState), types (a set of ConsumerGroupType): only
                these; request_timeout.

        Returns:
            A future of ListConsumerGroupsResult; a group that cannot be read is among `errors`.
        """
        take_options(options, "states", "types")
        states = require_enums(options.get("states"), "states", ConsumerGroupState)
        types = require_enums(options.get("types"), "types", ConsumerGroupType)

        def list_all(_: None) -> ListConsumerGroupsResult:
            result = ListConsumerGroupsResult([], [])
            for group_id in known_groups(self._log_dir):
                standing = find_standing(self._log_dir, group_id)
                if standing is None:
                    continue
                state, kind = _STATES[standing.state], _type_of(standing)
                if (states and state not in states) or (types and kind not in types):
                    continue
                assert result.valid is not None
                result.valid.append(ConsumerGroupListing(group_id, standing.is_simple, state, kind))
            return result

        return self._each([None], lambda key: key, list_all)[None]

    def describe_consumer_groups(
        self, group_ids: list[str], **options: Any
    ) -> dict[str, "Future[ConsumerGroupDescription]"]:
        """Describe groups: state, members and what they were assigned.

        Args:
            group_ids: ids; one that nobody knows is described as DEAD, as a broker does.
            options: include_authorized_operations, request_timeout.

        Returns:
            Futures by id, of ConsumerGroupDescription. INVALID_GROUP_ID.
        """
        take_options(options, "include_authorized_operations")
        require_group_ids(group_ids, "described")

        def describe(group_id: str) -> ConsumerGroupDescription:
            _require_group_id(group_id)
            standing = find_standing(self._log_dir, group_id)
            if standing is None:
                standing = Standing(group_id, GroupState.DEAD)
            return ConsumerGroupDescription(
                group_id,
                standing.is_simple,
                [_describe_member(standing, member) for member in standing.members],
                standing.protocol,
                _STATES[standing.state],
                self._node(),
                [] if options.get("include_authorized_operations") else None,
                _type_of(standing),
            )

        return self._each_group(group_ids, describe)

    def delete_consumer_groups(
        self, group_ids: list[str], **options: Any
    ) -> dict[str, "Future[None]"]:
        """Delete groups without members, and their offsets. There is no way back.

        Args:
            group_ids: ids.
            options: request_timeout.

        Returns:
            Futures by id, of None. GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, INVALID_GROUP_ID.
        """
        take_options(options)
        require_group_ids(group_ids, "deleted")

        def delete(group_id: str) -> None:
            self._require_known(group_id)
            with _Held(self, group_id) as held:
                if held.standing.members:
                    refuse(
                        KafkaError.NON_EMPTY_GROUP,
                        f"group {group_id} is not empty: close its {len(held.standing.members)} "
                        "member(s) first",
                    )
                GroupOffsets.of(self._log_dir).delete_group(group_id)
                held.shared.forget()

        return self._each_group(group_ids, delete)

    def list_groups(self, group: str | None = None, timeout: float = -1) -> list[GroupMetadata]:
        """Describe all groups, or one, in the old form. Deprecated, as in confluent_kafka.

        Args:
            group: id of the only one wanted.
            timeout: seconds, accepted.
        """
        warnings.warn(
            "list_groups() is deprecated, use list_consumer_groups() and "
            "describe_consumer_groups() instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        self._check_open()
        names = known_groups(self._log_dir) if group is None else [group]
        standings = [find_standing(self._log_dir, name) for name in names]
        return [self._metadata_of(standing) for standing in standings if standing is not None]

    def _metadata_of(self, standing: Standing) -> GroupMetadata:
        described = GroupMetadata()
        described.broker = BrokerMetadata(BROKER_ID, self._log_dir.path, 0)
        described.id = standing.group_id
        described.state = standing.state.value
        described.protocol_type = standing.protocol_type
        described.protocol = standing.protocol
        for member in standing.members:
            row = GroupMember()
            row.id, row.client_id, row.client_host = (
                member.member_id, member.client_id, member.client_host,
            )  # fmt: skip
            row.metadata = member.protocols.get(standing.protocol, b"")
            row.assignment = member.assignment
            described.members.append(row)
        return described

    # ---- offsets ----

    def list_consumer_group_offsets(
        self, list_consumer_group_offsets_request: list[ConsumerGroupTopicPartitions],
        **options: Any,
    ) -> dict[str, "Future[ConsumerGroupTopicPartitions]"]:  # fmt: skip
        """The committed offsets of a group.

        Args:
            list_consumer_group_offsets_request: one ConsumerGroupTopicPartitions; without
                partitions, all that have an offset.
            options: require_stable: an offset that an open transaction would change is the error
                UNSTABLE_OFFSET_COMMIT; request_timeout.

        Returns:
            A future by group id, of ConsumerGroupTopicPartitions; OFFSET_INVALID where nothing is
            committed.
        """
        take_options(options, "require_stable")
        check_listed(list_consumer_group_offsets_request)

        def list_offsets(request: ConsumerGroupTopicPartitions) -> ConsumerGroupTopicPartitions:
            offsets = GroupOffsets.of(self._log_dir)
            committed = offsets.committed(request.group_id)
            unstable = offsets.pending(request.group_id) if options.get("require_stable") else set()
            wanted = [(each.topic, each.partition) for each in request.topic_partitions or ()]
            places = wanted or sorted({*committed, *unstable})
            found = [
                _as_topic_partition(place, committed.get(place), place in unstable)
                for place in sorted(places)
            ]
            return ConsumerGroupTopicPartitions(request.group_id, found)

        return self._each(
            list_consumer_group_offsets_request, lambda request: request.group_id, list_offsets
        )

    def alter_consumer_group_offsets(
        self, alter_consumer_group_offsets_request: list[ConsumerGroupTopicPartitions],
        **options: Any,
    ) -> dict[str, "Future[ConsumerGroupTopicPartitions]"]:  # fmt: skip
        """Commit offsets for a group that has no members.

        Args:
            alter_consumer_group_offsets_request: one ConsumerGroupTopicPartitions with offsets.
            options: request_timeout.

        Returns:
            A future by group id, of ConsumerGroupTopicPartitions, each partition with its error or
            None: UNKNOWN_TOPIC_OR_PART, OFFSET_METADATA_TOO_LARGE; UNKNOWN_MEMBER_ID when the
            group has members.
        """
        take_options(options)
        check_altered(alter_consumer_group_offsets_request)

        def alter(request: ConsumerGroupTopicPartitions) -> ConsumerGroupTopicPartitions:
            return _answer(request, self._commit(request))

        return self._each(
            alter_consumer_group_offsets_request, lambda request: request.group_id, alter
        )

    def _commit(self, request: ConsumerGroupTopicPartitions) -> dict[Partition, KafkaError]:
        """Commit what may be; the errors of the rest."""
        errors: dict[Partition, KafkaError] = {}
        offsets: dict[Partition, OffsetAndMetadata] = {}
        for each in request.topic_partitions or ():
            place = (each.topic, each.partition)
            epoch = -1 if each.leader_epoch is None else each.leader_epoch
            value = OffsetAndMetadata(each.offset, epoch, each.metadata or "")
            error = self._partition_error(place) or offset_refusal(*place, value)
            if error is None:
                offsets[place] = value
            else:
                errors[place] = error
        if offsets:
            shared = SharedGroup.open(self._log_dir, request.group_id)
            try:
                member = ConsumerGroupMetadata(request.group_id)
                commits.commit(self._log_dir, shared, member, offsets)
            except KafkaException as error:
                if error.args[0].code() not in _COMMIT_REFUSALS:
                    raise
                errors.update(dict.fromkeys(offsets, error.args[0]))
            finally:
                shared.close()
        return errors

    def delete_consumer_group_offsets(
        self, delete_consumer_group_offsets_request: list[ConsumerGroupTopicPartitions],
        **options: Any,
    ) -> dict[str, "Future[ConsumerGroupTopicPartitions]"]:  # fmt: skip
        """Forget offsets of a group. confluent_kafka has no such call; Kafka's own Admin has.

        Args:
            delete_consumer_group_offsets_request: one ConsumerGroupTopicPartitions.
            options: request_timeout.

        Returns:
            A future by group id, of ConsumerGroupTopicPartitions, each partition with its error or
            None: GROUP_SUBSCRIBED_TO_TOPIC, UNKNOWN_TOPIC_OR_PART. The future itself fails with
            GROUP_ID_NOT_FOUND, or NON_EMPTY_GROUP for members that are no consumers.
        """
        take_options(options)
        check_deleted(delete_consumer_group_offsets_request)

        def delete(request: ConsumerGroupTopicPartitions) -> ConsumerGroupTopicPartitions:
            self._require_known(request.group_id)
            with _Held(self, request.group_id) as held:
                return _answer(request, self._delete_offsets(request, held.standing))

        return self._each(
            delete_consumer_group_offsets_request, lambda request: request.group_id, delete
        )

    def _delete_offsets(
        self, request: ConsumerGroupTopicPartitions, standing: Standing
    ) -> dict[Partition, KafkaError]:
        if standing.members and standing.protocol_type != "consumer":
            refuse(KafkaError.NON_EMPTY_GROUP, f"group {request.group_id} has members")
        offsets = GroupOffsets.of(self._log_dir)
        committed = offsets.committed(request.group_id)
        subscribed = standing.subscribed_topics()
        errors: dict[Partition, KafkaError] = {}
        going: list[Partition] = []
        for each in request.topic_partitions or ():
            place = (each.topic, each.partition)
            error = None if place in committed else self._partition_error(place)
            if error is None and each.topic in subscribed:
                error = KafkaError(
                    KafkaError.GROUP_SUBSCRIBED_TO_TOPIC,
                    f"group {request.group_id} reads topic {each.topic}: its members hold offsets",
                )
            if error is None:
                going.append(place)
            else:
                errors[place] = error
        offsets.delete_offsets(request.group_id, [place for place in going if place in committed])
        return errors

    # ---- shared ----

    def _partition_error(self, place: Partition) -> KafkaError | None:
        known = self._log_dir.topics().get(place[0])
        if known is not None and place[1] < known.partitions:
            return None
        return KafkaError(
            KafkaError.UNKNOWN_TOPIC_OR_PART, f"no partition {place[0]} [{place[1]}] in the folder"
        )

    def _require_known(self, group_id: str) -> None:
        _require_group_id(group_id)
        if find_standing(self._log_dir, group_id) is None:
            refuse(KafkaError.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")

    def _each_group(
        self, group_ids: list[str], work: Callable[[str], Any]
    ) -> dict[str, "Future[Any]"]:
        is_twice = len(set(group_ids)) < len(group_ids)

        def check_and_work(group_id: str) -> Any:
            if is_twice:
                refuse(KafkaError._INVALID_ARG, "Duplicate groups not allowed")
            return work(group_id)

        return self._each(group_ids, lambda group_id: group_id, check_and_work)


class _Held:
    """A group while its mutex is held: `standing` holds until the end of the block."""

    def __init__(self, admin: GroupAdmin, group_id: str):
        self._log_dir = admin._log_dir
        self._group_id = group_id
        self.shared = SharedGroup.open(self._log_dir, group_id)
        self.standing = Standing(group_id, GroupState.EMPTY)

    def __enter__(self) -> "_Held":
        try:
            with self.shared.locked() as group:
                self.shared.reap(group, time.monotonic_ns() // 1_000_000)
            self._holding = self.shared.held()
            group = self._holding.__enter__()
        except BaseException:
            self.shared.close()
            raise
        self.standing = standing_of(self._log_dir, group)
        return self

    def __exit__(self, *exc_info: Any) -> None:
        try:
            self._holding.__exit__(*exc_info)
        finally:
            self.shared.close()


def _require_group_id(group_id: str) -> None:
    if not group_id:
        refuse(KafkaError.INVALID_GROUP_ID, "the group id is empty")


def _type_of(standing: Standing) -> ConsumerGroupType:
    return ConsumerGroupType.CLASSIC if standing.consumer is None else ConsumerGroupType.CONSUMER


def _describe_member(standing: Standing, member: Member) -> MemberDescription:
    assigned = [TopicPartition(topic, number) for topic, number in standing.assigned(member)]
    return MemberDescription(
        member.member_id,
        member.client_id,
        member.client_host,
        MemberAssignment(assigned),
        member.instance_id,
    )


def _as_topic_partition(
    place: Partition, value: OffsetAndMetadata | None, is_unstable: bool
) -> TopicPartition:
    if is_unstable:
        error = KafkaError(
            KafkaError.UNSTABLE_OFFSET_COMMIT,
            f"{place[0]} [{place[1]}]: a transaction that is not over would change its offset",
        )
        return TopicPartition(*place, OFFSET_INVALID).with_error(error)
    if value is None:
        return TopicPartition(*place, OFFSET_INVALID)
    # What confluent_kafka commits ends in a NUL, which it takes off again.
    metadata = value.metadata.removesuffix("\0") or None
    epoch = value.leader_epoch if value.leader_epoch >= 0 else None
    return TopicPartition(*place, value.offset, metadata, epoch)


def _answer(
    request: ConsumerGroupTopicPartitions, errors: dict[Partition, KafkaError]
) -> ConsumerGroupTopicPartitions:
    """The partitions of a request, in order, each with its error."""
    answered = [
        each.with_error(errors.get((each.topic, each.partition)))
        for each in sorted(request.topic_partitions or ())
    ]
    return ConsumerGroupTopicPartitions(request.group_id, answered)
