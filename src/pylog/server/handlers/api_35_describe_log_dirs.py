"""DescribeLogDirs, versions 1-5: the folder, how full its disk is, and how large partitions are.

There is one folder. Every node says the same of the disk, and of the partitions that it leads.

Source: Kafka KafkaApis.handleDescribeLogDirsRequest, ReplicaManager.describeLogDirs.
"""

import os
from collections.abc import Awaitable

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.server.errors import error_of
from pylog.server.partitions import find_fault
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_35_describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

API_KEY = 35


def handle(
    request: DescribeLogDirsRequest, context: RequestContext
) -> DescribeLogDirsResponse | Awaitable[DescribeLogDirsResponse]:
    """Describe the folder."""
    if not context.authorize(Operation.DESCRIBE, ResourceType.CLUSTER):
        return DescribeLogDirsResponse(error_code=KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    topics = context.broker.topics()
    asked = (
        [(topic.name, range(topic.partitions)) for topic in topics.values()]
        if request.topics is None
        else [(topic.topic, topic.partitions) for topic in request.topics]
    )
    wanted = {
        name: [number for number in numbers if not find_fault(context, topics.get(name), number)]
        for name, numbers in asked
    }
    return context.broker.run_blocking(_describe, wanted, context)


def _describe(wanted: dict[str, list[int]], context: RequestContext) -> DescribeLogDirsResponse:
    log_dir = context.broker.log_dir
    result = DescribeLogDirsResult(log_dir=log_dir.path)
    try:
        disk = os.statvfs(log_dir.path)
        result.total_bytes = disk.f_blocks * disk.f_frsize
        result.usable_bytes = disk.f_bavail * disk.f_frsize
        result.topics = [
            DescribeLogDirsTopic(
                name=name,
                partitions=[
                    DescribeLogDirsPartition(
                        partition_index=number,
                        partition_size=log_dir.partition(name, number).size_bytes,
                    )
                    for number in numbers
                ],
            )
            for name, numbers in wanted.items()
            if numbers
        ]
    except (LogError, KafkaException, OSError) as error:
        result.error_code, _ = error_of(error, log_dir.path)
    return DescribeLogDirsResponse(results=[result])
