"""GroupClient: the group APIs by hand, with as few words as a test wants to say."""

from typing import Any

from wire_client import WireClient, api

COMMIT, FETCH, FIND, JOIN, BEAT, LEAVE, SYNC, CREATE = map(api, (8, 9, 10, 11, 12, 13, 14, 19))
DESCRIBE, LIST, DELETE, FORGET, CONSUMER, DESCRIBE_CONSUMER = map(api, (15, 16, 42, 47, 68, 69))


class GroupClient(WireClient):
    """A connection that asks for groups."""

    def ask_to_create(self, name: str, partitions: int) -> None:
        topic = CREATE.CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
        request = CREATE.CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
        assert self.ask(request).topics[0].error_code == 0

    # ---- the classic protocol ----

    def send_join(
        self,
        group_id: str,
        member_id: str = "",
        *,
        instance_id: str | None = None,
        protocols: tuple[tuple[str, bytes], ...] = (("range", b"m"),),
        protocol_type: str = "consumer",
        session_ms: int = 10_000,
        rebalance_ms: int = 10_000,
        version: int = 9,
    ) -> None:
        request = JOIN.JoinGroupRequest(
            group_id=group_id,
            member_id=member_id,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            protocol_type=protocol_type,
            protocols=[JOIN.JoinGroupRequestProtocol(name=n, metadata=m) for n, m in protocols],
        )
        if version >= 5:
            request.group_instance_id = instance_id
        self.send(request, version)

    def join(self, group_id: str, member_id: str = "", **options: Any) -> Any:
        """Join; a new member gets its id first, where the version wants it so."""
        self.send_join(group_id, member_id, **options)
        answer = self.receive()
        if answer.error_code == 79:
            self.send_join(group_id, answer.member_id, **options)
            answer = self.receive()
        return answer

    def send_sync(
        self,
        group_id: str,
        generation: int,
        member_id: str,
        assignments: dict[str, bytes] | None = None,
        instance_id: str | None = None,
        version: int = 3,
    ) -> None:
        request = SYNC.SyncGroupRequest(
            group_id=group_id,
            generation_id=generation,
            member_id=member_id,
            assignments=[
                SYNC.SyncGroupRequestAssignment(member_id=name, assignment=data)
                for name, data in (assignments or {}).items()
            ],
        )
        if version >= 3:
            request.group_instance_id = instance_id
        self.send(request, version)

    def sync(self, *arguments: Any, **options: Any) -> Any:
        self.send_sync(*arguments, **options)
        return self.receive()

    def lead(self, group_id: str, assignment: bytes = b"all", **options: Any) -> tuple[str, int]:
        """Be the only member of a stable group: (member id, generation)."""
        answer = self.join(group_id, **options)
        assert answer.error_code == 0
        generation, member_id = answer.generation_id, answer.member_id
        instance_id = options.get("instance_id")
        shares = {member_id: assignment}
        assert self.sync(group_id, generation, member_id, shares, instance_id).error_code == 0
        return member_id, generation

    def beat(
        self, group_id: str, generation: int, member_id: str, instance_id: str | None = None
    ) -> int:
        request = BEAT.HeartbeatRequest(
            group_id=group_id,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance_id,
        )
        return self.ask(request).error_code

    def leave(self, group_id: str, *members: tuple[str, str | None]) -> Any:
        asked = [
            LEAVE.MemberIdentity(member_id=name, group_instance_id=instance)
            for name, instance in members
        ]
        return self.ask(LEAVE.LeaveGroupRequest(group_id=group_id, members=asked))

    # ---- offsets ----

    def commit(
        self,
        group_id: str,
        offsets: dict[tuple[str, int], int],
        generation: int = -1,
        member_id: str = "",
        *,
        instance_id: str | None = None,
        metadata: str | None = "",
        leader_epoch: int = -1,
        version: int = 9,
    ) -> list[int]:
        """Commit; the error codes in the order of the offsets."""
        request = COMMIT.OffsetCommitRequest(
            group_id=group_id,
            generation_id_or_member_epoch=generation,
            member_id=member_id,
            topics=[
                COMMIT.OffsetCommitRequestTopic(
                    name=topic,
                    partitions=[
                        COMMIT.OffsetCommitRequestPartition(
                            partition_index=number,
                            committed_offset=offset,
                            committed_metadata=metadata,
                            committed_leader_epoch=leader_epoch if version >= 6 else -1,
                        )
                    ],
                )
                for (topic, number), offset in offsets.items()
            ],
        )
        if version >= 7:
            request.group_instance_id = instance_id
        return [
            partition.error_code
            for topic in self.ask(request, version).topics
            for partition in topic.partitions
        ]

    def fetch(
        self,
        group_id: str,
        partitions: list[tuple[str, int]] | None,
        *,
        member_id: str | None = None,
        epoch: int = -1,
        stable: bool = False,
        version: int = 9,
    ) -> Any:
        """The group's answer at version 8 and 9."""
        topics = None
        if partitions is not None:
            topics = [
                FETCH.OffsetFetchRequestTopics(name=name, partition_indexes=[number])
                for name, number in partitions
            ]
        group = FETCH.OffsetFetchRequestGroup(group_id=group_id, topics=topics)
        if version >= 9:
            group.member_id, group.member_epoch = member_id, epoch
        request = FETCH.OffsetFetchRequest(groups=[group], require_stable=stable)
        return self.ask(request, version).groups[0]

    def offsets(self, group_id: str, *partitions: tuple[str, int]) -> list[int]:
        answer = self.fetch(group_id, list(partitions))
        assert answer.error_code == 0
        return [row.committed_offset for topic in answer.topics for row in topic.partitions]

    # ---- groups ----

    def describe(self, group_id: str, version: int = 6) -> Any:
        return self.ask(DESCRIBE.DescribeGroupsRequest(groups=[group_id]), version).groups[0]

    def list_groups(
        self, states: tuple[str, ...] = (), types: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        request = LIST.ListGroupsRequest(states_filter=list(states), types_filter=list(types))
        answer = self.ask(request)
        assert answer.error_code == 0
        return {group.group_id: group for group in answer.groups}

    def delete(self, *group_ids: str) -> dict[str, int]:
        answer = self.ask(DELETE.DeleteGroupsRequest(groups_names=list(group_ids)))
        return {result.group_id: result.error_code for result in answer.results}

    def forget_offsets(self, group_id: str, *partitions: tuple[str, int]) -> tuple[int, list[int]]:
        request = FORGET.OffsetDeleteRequest(
            group_id=group_id,
            topics=[
                FORGET.OffsetDeleteRequestTopic(
                    name=name,
                    partitions=[FORGET.OffsetDeleteRequestPartition(partition_index=number)],
                )
                for name, number in partitions
            ],
        )
        answer = self.ask(request)
        rows = [row.error_code for topic in answer.topics for row in topic.partitions]
        return answer.error_code, rows

    # ---- the newer protocol ----

    def consume(
        self,
        group_id: str,
        member_id: str,
        epoch: int = 0,
        topics: list[str] | None = None,
        *,
        owned: dict[bytes, list[int]] | None = None,
        version: int = 1,
        **fields: Any,
    ) -> Any:
        """A heartbeat; one that joins says what it has to."""
        if epoch == 0:
            owned = {} if owned is None else owned
            fields.setdefault("rebalance_timeout_ms", 5000)
        request = CONSUMER.ConsumerGroupHeartbeatRequest(
            group_id=group_id,
            member_id=member_id,
            member_epoch=epoch,
            subscribed_topic_names=topics,
            topic_partitions=(
                None
                if owned is None
                else [
                    CONSUMER.RequestTopicPartitions(topic_id=topic_id, partitions=numbers)
                    for topic_id, numbers in owned.items()
                ]
            ),
            **fields,
        )
        return self.ask(request, version)

    def describe_consumers(self, group_id: str) -> Any:
        request = DESCRIBE_CONSUMER.ConsumerGroupDescribeRequest(group_ids=[group_id])
        return self.ask(request).groups[0]


def assigned(answer: Any) -> dict[bytes, list[int]] | None:
    """What a heartbeat's answer assigns, None when it says nothing about it."""
    if answer.assignment is None:
        return None
    return {topic.topic_id: topic.partitions for topic in answer.assignment.topic_partitions}
