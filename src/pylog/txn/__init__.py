"""Idempotence and transactions, above the storage core.

```
states            what a transactional id may do next: pure, no clock, no file
records           keys and values of __transaction_state, in Kafka's bytes
producer_ids      producer ids that no two producers of a folder share
coordinator       follows __transaction_state, takes decisions under the folder's lock
markers           ends transactions in the partitions; what a dead producer left
```
There is no coordinator process: whoever holds the lock of `.transactions.lock` is the coordinator
for that moment, and knows what the others decided by reading the log that they wrote.
"""
