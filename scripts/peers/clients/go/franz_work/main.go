// What franz-go does with a server: `franz_work BOOTSTRAP NAME COUNT`.
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

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"pylog.peers/clients/security"
)

const partitions = 4

// member collects what one member of the group reads, and how many partitions it holds.
type member struct {
	client *kgo.Client
	mutex  sync.Mutex
	values []string
	held   int
	done   chan struct{}
}

func join(common []kgo.Opt, name string) *member {
	m := &member{done: make(chan struct{})}
	count := func(sign int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			m.held += sign * len(changed[name])
		}
	}
	m.client = must(kgo.NewClient(append(common,
		kgo.ConsumerGroup(name), kgo.ConsumeTopics(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(count(1)), kgo.OnPartitionsRevoked(count(-1)),
		kgo.OnPartitionsLost(count(-1)),
	)...))
	go func() {
		defer close(m.done)
		for {
			fetches := m.client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			check(fetches.Err())
			m.mutex.Lock()
			fetches.EachRecord(func(record *kgo.Record) {
				m.values = append(m.values, string(record.Value))
			})
			m.mutex.Unlock()
		}
	}()
	return m
}

func (m *member) state() (int, int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.held, len(m.values)
}

func (m *member) leave() {
	m.client.Close()
	<-m.done
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

func transact(ctx context.Context, common []kgo.Opt, name string) bool {
	topic := name + "-txn"
	producer := must(kgo.NewClient(append(common, kgo.TransactionalID(name))...))
	for _, value := range []string{"no", "yes"} {
		check(producer.BeginTransaction())
		for i := 0; i < 10; i++ {
			record := &kgo.Record{Topic: topic, Value: []byte(value)}
			check(producer.ProduceSync(ctx, record).FirstErr())
		}
		check(producer.EndTransaction(ctx, kgo.TransactionEndTry(value == "yes")))
	}
	producer.Close()
	reader := must(kgo.NewClient(append(common,
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...))
	defer reader.Close()
	seen := 0
	for seen < 10 {
		for _, record := range reader.PollFetches(ctx).Records() {
			if string(record.Value) != "yes" {
				return false
			}
			seen++
		}
	}
	return true
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	settings, name := security.Read(), os.Args[2]
	common := append(secured(settings), kgo.SeedBrokers(strings.Split(os.Args[1], ",")...))
	common = common[:len(common):len(common)] // so that appending to it copies it
	count := must(strconv.Atoi(os.Args[3]))
	producer := must(kgo.NewClient(common...))
	admin := kadm.NewClient(producer)
	check(must(admin.CreateTopic(ctx, partitions, 1, nil, name)).Err)
	check(must(admin.CreateTopic(ctx, 1, 1, nil, name+"-txn")).Err)
	described := must(admin.ListTopics(ctx, name))

	members := []*member{join(common, name)}
	until("all partitions", func() bool { held, _ := members[0].state(); return held == partitions })
	members = append(members, join(common, name))
	until("halves", func() bool {
		first, _ := members[0].state()
		second, _ := members[1].state()
		return first == partitions/2 && second == partitions/2
	})

	records := make([]*kgo.Record, count)
	for i := range records {
		key, value := []byte(fmt.Sprintf("key %d", i)), []byte(strconv.Itoa(i))
		records[i] = &kgo.Record{Topic: name, Key: key, Value: value}
	}
	produced := 0
	for _, result := range producer.ProduceSync(ctx, records...) {
		check(result.Err)
		produced++
	}
	until("records", func() bool {
		_, first := members[0].state()
		_, second := members[1].state()
		return first+second >= count
	})
	for _, m := range members {
		check(m.client.CommitUncommittedOffsets(ctx))
	}
	members[1].leave()
	until("the other half", func() bool {
		held, _ := members[0].state()
		return held == partitions
	})
	takenOver, _ := members[0].state()
	members[0].leave()

	var committed, byTime, end int64
	must(admin.FetchOffsets(ctx, name)).Each(func(o kadm.OffsetResponse) { committed += o.At })
	must(admin.ListOffsetsAfterMilli(ctx, 1, name)).Each(
		func(o kadm.ListedOffset) { byTime += o.Offset })
	must(admin.ListEndOffsets(ctx, name)).Each(func(o kadm.ListedOffset) { end += o.Offset })
	_, isListed := must(admin.ListGroups(ctx))[name]
	isExactlyOnce := transact(ctx, common, name)
	must(admin.DeleteGroups(ctx, name))
	must(admin.DeleteTopics(ctx, name, name+"-txn"))
	isThere := must(admin.ListTopics(ctx)).Has(name)
	administered := map[string]any{}
	if settings.Administers {
		administered = administer(ctx, admin, name)
	}
	admin.Close()

	values := map[string]bool{}
	for _, m := range members {
		for _, value := range m.values {
			values[value] = true
		}
	}
	shares := []int{len(members[0].values), len(members[1].values)}
	seen := map[string]any{
		"partitions": len(described[name].Partitions), "produced": produced,
		"read": shares[0] + shares[1], "distinct": len(values), "shares": shares,
		"taken_over": takenOver, "committed": committed, "by_time": byTime, "end": end,
		"group_listed": isListed, "deleted": !isThere, "transactions": isExactlyOnce,
	}
	maps.Copy(seen, administered)
	check(json.NewEncoder(os.Stdout).Encode(seen))
}
