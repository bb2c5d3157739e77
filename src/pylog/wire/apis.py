"""The APIs: key, name, versions.

`versions` are those that the codec reads and writes: all that Kafka 4.3 has. `offered` are those
that ApiVersions should name if the server handles the API; Kafka offers the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType

from pylog.wire.fields import MessageType, Versions

API_VERSIONS = 18
"""Its response has the oldest header and, for a version that is not known, version 0."""

# key, module, name, versions, and offered where it differs
_TABLE = """
 0  produce                         Produce                        3-13  0-13
 1  fetch                           Fetch                          4-18
 2  list_offsets                    ListOffsets                    1-11
 3  metadata                        Metadata                       0-13
 8  offset_commit                   OffsetCommit                   2-10
 9  offset_fetch                    OffsetFetch                    1-10
10  find_coordinator                FindCoordinator                0-6
11  join_group                      JoinGroup                      0-9
12  heartbeat                       Heartbeat                      0-4
13  leave_group                     LeaveGroup                     0-5
14  sync_group                      SyncGroup                      0-5
15  describe_groups                 DescribeGroups                 0-6
16  list_groups                     ListGroups                     0-5
17  sasl_handshake                  SaslHandshake                  0-1
18  api_versions                    ApiVersions                    0-4
19  create_topics                   CreateTopics                   2-7
20  delete_topics                   DeleteTopics                   1-6
21  delete_records                  DeleteRecords                  0-2
22  init_producer_id                InitProducerId                 0-6   0-5
23  offset_for_leader_epoch         OffsetForLeaderEpoch           2-4
24  add_partitions_to_txn           AddPartitionsToTxn             0-5
25  add_offsets_to_txn              AddOffsetsToTxn                0-4
26  end_txn                         EndTxn                         0-5
28  txn_offset_commit               TxnOffsetCommit                0-5
29  describe_acls                   DescribeAcls                   1-3
30  create_acls                     CreateAcls                     1-3
31  delete_acls                     DeleteAcls                     1-3
32  describe_configs                DescribeConfigs                1-4
33  alter_configs                   AlterConfigs                   0-2
35  describe_log_dirs               DescribeLogDirs                1-5
36  sasl_authenticate               SaslAuthenticate               0-2
37  create_partitions               CreatePartitions               0-3
42  delete_groups                   DeleteGroups                   0-2
43  elect_leaders                   ElectLeaders                   0-2
44  incremental_alter_configs       IncrementalAlterConfigs        0-1
47  offset_delete                   OffsetDelete                   0
48  describe_client_quotas          DescribeClientQuotas           0-1
49  alter_client_quotas             AlterClientQuotas              0-1
50  describe_user_scram_credentials DescribeUserScramCredentials   0
51  alter_user_scram_credentials    AlterUserScramCredentials      0
60  describe_cluster                DescribeCluster                0-2
61  describe_producers              DescribeProducers              0
65  describe_transactions           DescribeTransactions           0
66  list_transactions               ListTransactions               0-2
68  consumer_group_heartbeat        ConsumerGroupHeartbeat         0-1
69  consumer_group_describe         ConsumerGroupDescribe          0-1
74  list_config_resources           ListConfigResources            0-1
75  describe_topic_partitions       DescribeTopicPartitions        0
"""
# Produce 0 to 2 are offered and refused: librdkafka turns compression off where they are missing.
# InitProducerId 6 is not stable in Kafka 4.3.


@dataclass(frozen=True)
class Api:
    """One API.

    Attributes:
        key: what a request begins with.
        name: Kafka's, as in ListOffsets.
        versions: that can be read and written.
        offered: that ApiVersions should name.
    """

    key: int
    module: str
    name: str
    versions: Versions
    offered: Versions

    @cached_property
    def request(self) -> MessageType:
        """The class of its requests; its module is loaded when this is first asked for."""
        return self._load("Request")

    @cached_property
    def response(self) -> MessageType:
        """The class of its responses."""
        return self._load("Response")

    def is_flexible(self, version: int) -> bool:
        """Whether a version has compact lengths, tagged fields and the newer headers."""
        return version in self.request.layout.flexible

    def _load(self, suffix: str) -> MessageType:
        module = import_module(f"pylog.wire.messages.{self.module}")
        message: MessageType = getattr(module, self.name + suffix)
        return message


def _read_table() -> dict[int, Api]:
    apis = {}
    for line in _TABLE.strip().splitlines():
        key, module, name, versions, *offered = line.split()
        supported = Versions.parse(versions)
        apis[int(key)] = Api(
            int(key),
            f"api_{int(key):02}_{module}",
            name,
            supported,
            Versions.parse(offered[0]) if offered else supported,
        )
    return apis


APIS: Mapping[int, Api] = MappingProxyType(_read_table())
