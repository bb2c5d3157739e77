"""Every client property: name, kind, default and allowed values, as text tables.

Names, aliases, defaults and ranges are librdkafka 2.16's, so that a program's configuration moves
over as it is; where librdkafka has an alias that is Kafka's name, Kafka's name is the one used
here. Most have no effect on a folder: sockets, brokers, TLS and SASL are for a cluster. They are
checked and kept.

A row is `name kind default allowed`, `-` for none; a backslash joins its lines. Kinds: int, float,
bool, str, enum (one of allowed), flags (some of allowed), patterns (regular expressions), acks,
partitioner, callback, object (any Python object).

Source: librdkafka CONFIGURATION.md; confluent_kafka for the callbacks.
"""

# For producers, consumers and admin clients. The first two are our own.
COMMON = """
log.dir                                           str       -                  -
read.only                                         bool      false              -
error_cb                                          callback  -                  -
stats_cb                                          callback  -                  -
throttle_cb                                       callback  -                  -
oauth_cb                                          callback  -                  -
logger                                            object    -                  -
builtin.features                                  flags     gzip,snappy,regex,lz4,zstd \
gzip,snappy,ssl,sasl,regex,lz4,sasl_gssapi,sasl_plain,sasl_scram,plugins,zstd,sasl_oauthbearer,\
http,oidc
client.id                                         str       rdkafka            -
bootstrap.servers                                 str       -                  -
message.max.bytes                                 int       1000000            1000..1000000000
message.copy.max.bytes                            int       65535              0..1000000000
receive.message.max.bytes                         int       100000000          1000..2147483647
max.in.flight.requests.per.connection             int       1000000            1..1000000
metadata.recovery.strategy                        enum      rebootstrap        none,rebootstrap
metadata.recovery.rebootstrap.trigger.ms          int       300000             0..2147483647
topic.metadata.refresh.interval.ms                int       300000             -1..3600000
metadata.max.age.ms                               int       900000             1..86400000
topic.metadata.refresh.fast.interval.ms           int       100                1..60000
topic.metadata.refresh.fast.cnt                   int       10                 0..1000
topic.metadata.refresh.sparse                     bool      true               -
topic.metadata.propagation.max.ms                 int       30000              0..3600000
topic.blacklist                                   patterns  -                  -
debug                                             flags     - \
generic,broker,topic,metadata,feature,queue,msg,protocol,cgrp,security,fetch,interceptor,plugin,\
consumer,admin,eos,mock,assignor,conf,telemetry,all
socket.timeout.ms                                 int       60000              10..300000
socket.blocking.max.ms                            int       1000               1..60000
socket.send.buffer.bytes                          int       0                  0..100000000
socket.receive.buffer.bytes                       int       0                  0..100000000
socket.keepalive.enable                           bool      false              -
socket.nagle.disable                              bool      true               -
socket.max.fails                                  int       1                  0..1000000
broker.address.ttl                                int       1000               0..86400000
broker.address.family                             enum      any                any,v4,v6
socket.connection.setup.timeout.ms                int       30000              1000..2147483647
connections.max.idle.ms                           int       0                  0..2147483647
reconnect.backoff.jitter.ms                       int       0                  0..3600000
reconnect.backoff.ms                              int       100                0..3600000
reconnect.backoff.max.ms                          int       10000              0..3600000
statistics.interval.ms                            int       0                  0..86400000
enabled_events                                    int       0                  0..2147483647
log_level                                         int       6                  0..7
log.queue                                         bool      false              -
log.thread.name                                   bool      true               -
enable.random.seed                                bool      true               -
log.connection.close                              bool      true               -
internal.termination.signal                       int       0                  0..128
api.version.request                               bool      true               -
api.version.request.timeout.ms                    int       10000              1..300000
api.version.fallback.ms                           int       0                  0..604800000
broker.version.fallback                           str       0.10.0             -
allow.auto.create.topics                          bool      false              -
security.protocol                                 enum      plaintext \
          plaintext,ssl,sasl_plaintext,sasl_ssl
ssl.cipher.suites                                 str       -                  -
ssl.curves.list                                   str       -                  -
ssl.sigalgs.list                                  str       -                  -
ssl.key.location                                  str       -                  -
ssl.key.password                                  str       -                  -
ssl.key.pem                                       str       -                  -
ssl.certificate.location                          str       -                  -
ssl.certificate.pem                               str       -                  -
ssl.ca.location                                   str       -                  -
https.ca.location                                 str       -                  -
https.ca.pem                                      str       -                  -
ssl.ca.pem                                        str       -                  -
ssl.ca.certificate.stores                         str       Root               -
ssl.crl.location                                  str       -                  -
ssl.keystore.location                             str       -                  -
ssl.keystore.password                             str       -                  -
ssl.providers                                     str       -                  -
ssl.engine.location                               str       -                  -
ssl.engine.id                                     str       dynamic            -
enable.ssl.certificate.verification               bool      true               -
ssl.endpoint.identification.algorithm             enum      https              none,https
sasl.mechanism                                    str       GSSAPI             -
sasl.kerberos.service.name                        str       kafka              -
sasl.kerberos.principal                           str       kafkaclient        -
sasl.kerberos.kinit.cmd                           str       -                  -
sasl.kerberos.keytab                              str       -                  -
sasl.kerberos.min.time.before.relogin             int       60000              0..86400000
sasl.username                                     str       -                  -
sasl.password                                     str       -                  -
sasl.oauthbearer.config                           str       -                  -
enable.sasl.oauthbearer.unsecure.jwt              bool      false              -
sasl.oauthbearer.method                           enum      default            default,oidc
sasl.oauthbearer.client.id                        str       -                  -
sasl.oauthbearer.client.secret                    str       -                  -
sasl.oauthbearer.scope                            str       -                  -
sasl.oauthbearer.extensions                       str       -                  -
sasl.oauthbearer.token.endpoint.url               str       -                  -
sasl.oauthbearer.sub.claim.name                   str       sub                -
sasl.oauthbearer.grant.type                       enum      client_credentials \
client_credentials,urn:ietf:params:oauth:grant-type:jwt-bearer
sasl.oauthbearer.assertion.algorithm              enum      RS256              RS256,ES256
sasl.oauthbearer.assertion.private.key.file       str       -                  -
sasl.oauthbearer.assertion.private.key.passphrase str       -                  -
sasl.oauthbearer.assertion.private.key.pem        str       -                  -
sasl.oauthbearer.assertion.file                   str       -                  -
sasl.oauthbearer.assertion.claim.aud              str       -                  -
sasl.oauthbearer.assertion.claim.exp.seconds      int       300                1..2147483647
sasl.oauthbearer.assertion.claim.iss              str       -                  -
sasl.oauthbearer.assertion.claim.jti.include      bool      false              -
sasl.oauthbearer.assertion.claim.nbf.seconds      int       60                 0..2147483647
sasl.oauthbearer.assertion.claim.sub              str       -                  -
sasl.oauthbearer.assertion.jwt.template.file      str       -                  -
sasl.oauthbearer.metadata.authentication.type     enum      none \
          none,azure_imds,aws_iam
plugin.library.paths                              str       -                  -
client.rack                                       str       -                  -
retry.backoff.ms                                  int       100                1..300000
retry.backoff.max.ms                              int       1000               1..300000
client.dns.lookup                                 enum      use_all_dns_ips \
use_all_dns_ips,resolve_canonical_bootstrap_servers_only
enable.metrics.push                               bool      true               -
"""

PRODUCER = """
on_delivery                                       callback  -                  -
transactional.id                                  str       -                  -
transaction.timeout.ms                            int       60000              1000..2147483647
enable.idempotence                                bool      false              -
enable.gapless.guarantee                          bool      false              -
queue.buffering.max.messages                      int       100000             0..2147483647
queue.buffering.max.kbytes                        int       1048576            1..2147483647
linger.ms                                         float     5                  0..900000
retries                                           int       2147483647         0..2147483647
queue.buffering.backpressure.threshold            int       1                  1..1000000
compression.type                                  enum      none \
          none,gzip,snappy,lz4,zstd
batch.num.messages                                int       10000              1..1000000
batch.size                                        int       1000000            1..2147483647
delivery.report.only.error                        bool      false              -
sticky.partitioning.linger.ms                     int       10                 0..900000
acks                                              acks      all                -1..1000
request.timeout.ms                                int       30000              1..900000
delivery.timeout.ms                               int       300000             0..2147483647
queuing.strategy                                  enum      fifo               fifo,lifo
produce.offset.report                             bool      false              -
partitioner                                       partitioner \
consistent_random -
compression.level                                 int       -1                 -1..12
"""

# The first is our own.
CONSUMER = """
busy.poll                                         bool      false              -
on_commit                                         callback  -                  -
group.id                                          str       -                  -
group.instance.id                                 str       -                  -
partition.assignment.strategy                     str       range,roundrobin   -
session.timeout.ms                                int       45000              1..3600000
heartbeat.interval.ms                             int       3000               1..3600000
group.protocol.type                               str       consumer           -
group.protocol                                    enum      classic            classic,consumer
group.remote.assignor                             str       -                  -
coordinator.query.interval.ms                     int       600000             1..3600000
max.poll.interval.ms                              int       300000             1..86400000
enable.auto.commit                                bool      true               -
auto.commit.interval.ms                           int       5000               0..86400000
enable.auto.offset.store                          bool      true               -
queued.min.messages                               int       100000             1..10000000
queued.max.messages.kbytes                        int       65536              1..2097151
fetch.wait.max.ms                                 int       500                0..300000
fetch.queue.backoff.ms                            int       1000               0..300000
max.partition.fetch.bytes                         int       1048576            1..1000000000
fetch.max.bytes                                   int       52428800           0..2147483135
fetch.min.bytes                                   int       1                  0..2147483647
fetch.error.backoff.ms                            int       500                0..300000
offset.store.method                               enum      broker             none,file,broker
isolation.level                                   enum      read_committed \
read_uncommitted,read_committed
enable.partition.eof                              bool      false              -
check.crcs                                        bool      false              -
max.poll.records                                  int       500                1..2147483647
share.acknowledgement.mode                        str       implicit           -
auto.offset.reset                                 enum      latest \
          smallest,earliest,beginning,largest,latest,end,error
offset.store.path                                 str       .                  -
offset.store.sync.interval.ms                     int       -1                 -1..86400000
consume.callback.max.messages                     int       0                  0..1000000
"""

# Other names of a property.
ALIASES = {
    "auto.commit.enable": "enable.auto.commit",
    "compression.codec": "compression.type",
    "dr_cb": "on_delivery",
    "dr_msg_cb": "on_delivery",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "message.send.max.retries": "retries",
    "message.timeout.ms": "delivery.timeout.ms",
    "metadata.broker.list": "bootstrap.servers",
    "oauthbearer_token_refresh_cb": "oauth_cb",
    "offset_commit_cb": "on_commit",
    "queue.buffering.max.ms": "linger.ms",
    "request.required.acks": "acks",
    "sasl.mechanisms": "sasl.mechanism",
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
}

# Known to librdkafka, and to be set from C alone.
NOT_SETTABLE = frozenset(
    {
        "background_event_cb",
        "closesocket_cb",
        "connect_cb",
        "consume_cb",
        "default_topic_conf",
        "interceptors",
        "log_cb",
        "msg_order_cmp",
        "opaque",
        "open_cb",
        "partitioner_cb",
        "rebalance_cb",
        "resolve_cb",
        "socket_cb",
        "ssl.certificate.verify_cb",
        "ssl_ca",
        "ssl_certificate",
        "ssl_engine_callback_data",
        "ssl_key",
    }
)

# What the Java client calls differently, for the hint behind an unknown name.
JAVA_NAMES = {
    "buffer.memory": "queue.buffering.max.kbytes",
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "max.request.size": "message.max.bytes",
    "partitioner.class": "partitioner",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
}
