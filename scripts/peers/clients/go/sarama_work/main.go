// What sarama does with a server: `sarama_work BOOTSTRAP NAME COUNT`.
// ../../README.md has the work that each client program does, and the line that it prints.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"pylog.peers/clients/security"
)

const partitions = 4

// member collects what one member of the group reads, and how many partitions it holds.
type member struct {
	mutex  sync.Mutex
	values []string
	held   int
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.held = 0
	for _, claimed := range session.Claims() {
		m.held += len(claimed)
	}
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(
	session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim,
) error {
	for message := range claim.Messages() {
		m.mutex.Lock()
		m.values = append(m.values, string(message.Value))
		m.mutex.Unlock()
		session.MarkMessage(message, "")
	}
	return nil
}

func (m *member) state() (int, int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.held, len(m.values)
}

// join runs a member until the returned function is called.
func join(brokers []string, name string, config *sarama.Config, m *member) func() {
	group := must(sarama.NewConsumerGroup(brokers, name, config))
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for ctx.Err() == nil {
			check(group.Consume(ctx, []string{name}, m))
		}
	}()
	return func() {
		cancel()
		done.Wait()
		check(group.Close())
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		debug.PrintStack()
		fmt.Fprintln(os.Stderr, err) // last, where it is found
		os.Exit(1)
	}
}

func until(what string, isDone func() bool) {
	deadline := time.Now().Add(time.Minute)
	for !isDone() {
		if time.Now().After(deadline) {
			panic("waited for " + what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func transact(brokers []string, name string, config sarama.Config) bool {
	topic := name + "-txn"
	config.Producer.Transaction.ID = name
	producer := must(sarama.NewSyncProducer(brokers, &config))
	for _, value := range []string{"no", "yes"} {
		check(producer.BeginTxn())
		for i := 0; i < 10; i++ {
			message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}
			_, _, err := producer.SendMessage(message)
			check(err)
		}
		if value == "yes" {
			check(producer.CommitTxn())
		} else {
			check(producer.AbortTxn())
		}
	}
	check(producer.Close())
	consumer := must(sarama.NewConsumer(brokers, &config))
	reader := must(consumer.ConsumePartition(topic, 0, sarama.OffsetOldest))
	for i := 0; i < 10; i++ {
		if string((<-reader.Messages()).Value) != "yes" {
			return false
		}
	}
	check(reader.Close())
	check(consumer.Close())
	return true
}

func main() {
	brokers, name := strings.Split(os.Args[1], ","), os.Args[2]
	count := must(strconv.Atoi(os.Args[3]))
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{
		sarama.NewBalanceStrategyRange(),
	}
	settings := security.Read()
	secure(config, settings)

	admin := must(sarama.NewClusterAdmin(brokers, config))
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}
	check(admin.CreateTopic(name, detail, false))
	one := &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	check(admin.CreateTopic(name+"-txn", one, false))
	described := must(admin.DescribeTopics([]string{name}))

	members := []*member{{}, {}}
	leaveFirst := join(brokers, name, config, members[0])
	until("all partitions", func() bool { held, _ := members[0].state(); return held == partitions })
	leaveSecond := join(brokers, name, config, members[1])
	until("halves", func() bool {
		first, _ := members[0].state()
		second, _ := members[1].state()
		return first == partitions/2 && second == partitions/2
	})

	producer := must(sarama.NewSyncProducer(brokers, config))
	messages := make([]*sarama.ProducerMessage, count)
	for i := range messages {
		messages[i] = &sarama.ProducerMessage{
			Topic: name,
			Key:   sarama.StringEncoder(fmt.Sprintf("key %d", i)),
			Value: sarama.StringEncoder(strconv.Itoa(i)),
		}
	}
	check(producer.SendMessages(messages))
	check(producer.Close())
	until("records", func() bool {
		_, first := members[0].state()
		_, second := members[1].state()
		return first+second >= count
	})
	leaveSecond()
	until("the other half", func() bool {
		held, _ := members[0].state()
		return held == partitions
	})
	takenOver, _ := members[0].state()
	leaveFirst()

	offsets := must(admin.ListConsumerGroupOffsets(name, nil))
	var committed, byTime, end int64
	client := must(sarama.NewClient(brokers, config))
	for partition := int32(0); partition < partitions; partition++ {
		committed += offsets.GetBlock(name, partition).Offset
		byTime += must(client.GetOffset(name, partition, 1))
		end += must(client.GetOffset(name, partition, sarama.OffsetNewest))
	}
	check(client.Close())
	groups := must(admin.ListConsumerGroups())
	_, isListed := groups[name]
	isExactlyOnce := transact(brokers, name, *config)
	check(admin.DeleteConsumerGroup(name))
	check(admin.DeleteTopic(name))
	check(admin.DeleteTopic(name + "-txn"))
	_, isThere := must(admin.ListTopics())[name]
	administered := map[string]any{}
	if settings.Administers {
		administered = administer(admin, name)
	}
	check(admin.Close())

	values := map[string]bool{}
	for _, m := range members {
		for _, value := range m.values {
			values[value] = true
		}
	}
	shares := []int{len(members[0].values), len(members[1].values)}
	seen := map[string]any{
		"partitions": len(described[0].Partitions), "produced": count,
		"read": shares[0] + shares[1], "distinct": len(values), "shares": shares,
		"taken_over": takenOver, "committed": committed, "by_time": byTime, "end": end,
		"group_listed": isListed, "deleted": !isThere, "transactions": isExactlyOnce,
	}
	maps.Copy(seen, administered)
	check(json.NewEncoder(os.Stdout).Encode(seen))
}
