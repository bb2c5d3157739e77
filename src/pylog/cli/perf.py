"""`pylog perf`: produce, consume and follow, with the flags of Kafka's perf tools."""

from pathlib import Path
from typing import Annotated

import typer

from pylog.cli import options, perf_report, topics

app = typer.Typer(
    help="Measure this machine; the flags are those of kafka-producer-perf-test and "
    "kafka-consumer-perf-test.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DEFAULT_TOPIC = "perf"
PRODUCE_EXAMPLE = "Example: pylog perf produce --record-size 100 --producer-props acks=1"

TopicOption = Annotated[
    str, typer.Option("--topic", metavar="NAME", help="Topic; created if it is missing.")
]
ExistingTopicOption = Annotated[str, typer.Option("--topic", metavar="NAME", help="Topic to read.")]
PartitionsOption = Annotated[
    int,
    typer.Option("--partitions", metavar="N", min=1, help="Partitions, if the topic is created."),
]
SvgOption = Annotated[
    Path | None,
    typer.Option(
        "--svg", metavar="FILE", help="Write the figures as a picture.", show_default=False
    ),
]
MetricsOption = Annotated[
    bool, typer.Option("--print-metrics", help="Print processor time and memory too.")
]
ReportingOption = Annotated[
    int, typer.Option("--reporting-interval", metavar="MS", min=1, help="Between progress lines.")
]
MorePropertiesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE", hidden=True, show_default=False)
]


@app.command("produce", epilog=PRODUCE_EXAMPLE)
def produce(
    more_properties: MorePropertiesArgument = None,
    folder: options.FolderOption = "",
    topic: TopicOption = DEFAULT_TOPIC,
    num_records: Annotated[
        int, typer.Option("--num-records", metavar="N", min=1, help="How many to send.")
    ] = 1_000_000,
    record_size: Annotated[
        int | None,
        typer.Option(
            "--record-size",
            metavar="N",
            min=1,
            help="Bytes of each value; 100 if left out.",
            show_default=False,
        ),
    ] = None,
    key_size: Annotated[
        int, typer.Option("--key-size", metavar="N", min=0, help="Bytes of each key; 0 for no key.")
    ] = 0,
    throughput: Annotated[
        float,
        typer.Option(
            "--throughput", metavar="N", help="Records a second at most; -1 for no limit."
        ),
    ] = -1,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--producer-props",
            "--producer-property",
            "--command-property",
            "-X",
            metavar="NAME=VALUE...",
            help="Producer configuration, such as acks=1 linger.ms=5.",
            show_default=False,
        ),
    ] = None,
    payload_file: Annotated[
        Path | None,
        typer.Option(
            "--payload-file", metavar="FILE", help="Values to send, one a line.", show_default=False
        ),
    ] = None,
    payload_delimiter: Annotated[
        str,
        typer.Option(
            "--payload-delimiter", metavar="DELIM", help="Between the values in that file."
        ),
    ] = r"\n",
    payload_monotonic: Annotated[
        bool, typer.Option("--payload-monotonic", help="Values are 0, 1, 2 ... as text.")
    ] = False,
    partitions: PartitionsOption = 1,
    print_metrics: MetricsOption = False,
    reporting_interval_ms: ReportingOption = 5000,
    json_output: options.JsonOption = False,
    svg: SvgOption = None,
) -> None:
    """Send records as fast as asked and report rate and latency.

    A record's latency runs from produce() to its delivery callback; one record in a thousand is
    timed.
    """
    from pylog.cli import perf_produce

    if sum((record_size is not None, payload_file is not None, payload_monotonic)) > 1:
        raise typer.BadParameter(
            "--record-size, --payload-file and --payload-monotonic exclude each other",
            param_hint="--record-size",
        )
    configuration = options.parse_pairs(
        [*(properties or ()), *(more_properties or ())], "--producer-props"
    )
    payloads = perf_produce.make_payloads(
        record_size or 100, payload_file, payload_delimiter, payload_monotonic
    )
    perf_produce.run(
        folder,
        topic,
        partitions=partitions,
        num_records=num_records,
        payloads=payloads,
        key_size_bytes=key_size,
        throughput=throughput,
        configuration=configuration,
        reporting_interval_s=reporting_interval_ms / 1000,
        is_quiet=json_output,
        publish=lambda report, lines: perf_report.publish(
            report, lines, json_output=json_output, svg=svg, print_metrics=print_metrics
        ),
    )


@app.command("consume")
def consume(
    more_properties: MorePropertiesArgument = None,
    folder: options.FolderOption = "",
    topic: ExistingTopicOption = DEFAULT_TOPIC,
    messages: Annotated[
        int | None,
        typer.Option(
            "--messages",
            "--num-records",
            metavar="N",
            min=1,
            help="How many; all there are if left out.",
            show_default=False,
        ),
    ] = None,
    timeout_ms: Annotated[
        int, typer.Option("--timeout", metavar="MS", min=0, help="Longest wait for a record.")
    ] = 10_000,
    by_poll: Annotated[
        bool, typer.Option("--poll", help="poll() one at a time instead of consume(1000).")
    ] = False,
    columns: Annotated[
        bool, typer.Option("--columns", help="Columnar reads (numpy) instead of messages.")
    ] = False,
    from_latest: Annotated[
        bool, typer.Option("--from-latest", help="Only what comes in from now on.")
    ] = False,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--consumer-props",
            "--command-property",
            "-X",
            metavar="NAME=VALUE...",
            help="Consumer configuration.",
            show_default=False,
        ),
    ] = None,
    hide_header: Annotated[bool, typer.Option("--hide-header", help="Only the figures.")] = False,
    show_detailed_stats: Annotated[
        bool, typer.Option("--show-detailed-stats", help="A line every --reporting-interval.")
    ] = False,
    reporting_interval_ms: ReportingOption = 5000,
    print_metrics: MetricsOption = False,
    json_output: options.JsonOption = False,
    svg: SvgOption = None,
) -> None:
    """Read records as fast as possible and report the rate."""
    from pylog.cli import perf_consume

    if by_poll and columns:
        raise typer.BadParameter("--poll and --columns exclude each other", param_hint="--poll")
    configuration = options.parse_pairs(
        [*(properties or ()), *(more_properties or ())], "--consumer-props"
    )
    partitions = topics.require_topic(folder, topic)
    perf_consume.run(
        folder,
        topic,
        partitions=partitions,
        messages=messages,
        timeout_s=timeout_ms / 1000,
        way="poll" if by_poll else "columns" if columns else "consume",
        from_latest=from_latest,
        configuration=configuration,
        hide_header=hide_header or json_output,
        detail_interval_s=reporting_interval_ms / 1000 if show_detailed_stats else None,
        publish=lambda report, lines: perf_report.publish(
            report, lines, json_output=json_output, svg=svg, print_metrics=print_metrics
        ),
    )


@app.command("follow")
def follow(
    more_properties: MorePropertiesArgument = None,
    folder: options.FolderOption = "",
    topic: TopicOption = DEFAULT_TOPIC,
    num_records: Annotated[
        int, typer.Option("--num-records", metavar="N", min=1, help="How many to send.")
    ] = 100_000,
    record_size: Annotated[
        int, typer.Option("--record-size", metavar="N", min=8, help="Bytes of each value.")
    ] = 100,
    throughput: Annotated[
        float,
        typer.Option(
            "--throughput", metavar="N", help="Records a second at most; -1 for no limit."
        ),
    ] = 10_000,
    busy_poll: Annotated[
        bool, typer.Option("--busy-poll", help="The reader spins instead of sleeping.")
    ] = False,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--producer-props",
            "--command-property",
            "-X",
            metavar="NAME=VALUE...",
            help="Producer configuration; acks=1 linger.ms=0 unless said otherwise.",
            show_default=False,
        ),
    ] = None,
    print_metrics: MetricsOption = False,
    json_output: options.JsonOption = False,
    svg: SvgOption = None,
) -> None:
    """Measure the way from produce() in this process to poll() in a second one."""
    from pylog.cli import perf_follow

    configuration = options.parse_pairs(
        [*(properties or ()), *(more_properties or ())], "--producer-props"
    )
    perf_follow.run(
        folder,
        topic,
        num_records=num_records,
        record_size_bytes=record_size,
        throughput=throughput,
        busy_poll=busy_poll,
        configuration=configuration,
        publish=lambda report, lines: perf_report.publish(
            report, lines, json_output=json_output, svg=svg, print_metrics=print_metrics
        ),
    )
