package main

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const ttl = 30

// The reference's way: a lease and a put for each, one after the other, each awaited.
func registerOneByOne(ctx context.Context, client *clientv3.Client, count int) error {
	for i := 0; i < count; i++ {
		lease, err := client.Grant(ctx, ttl)
		if err != nil {
			return err
		}
		if _, err := client.Put(ctx, key(i), value(i), clientv3.WithLease(lease.ID)); err != nil {
			return err
		}
	}
	return nil
}

// One lease, transactions of 128 puts, four under way: what the client allows.
func registerInBatches(ctx context.Context, client *clientv3.Client, count int) error {
	const batch, inFlight = 128, 4
	lease, err := client.Grant(ctx, ttl)
	if err != nil {
		return err
	}
	firsts := make(chan int)
	failures := make(chan error, inFlight)
	var group sync.WaitGroup
	for range inFlight {
		group.Add(1)
		go func() {
			defer group.Done()
			for first := range firsts {
				ops := make([]clientv3.Op, 0, batch)
				for i := first; i < count && i < first+batch; i++ {
					ops = append(ops, clientv3.OpPut(key(i), value(i),
						clientv3.WithLease(lease.ID)))
				}
				if _, err := client.Txn(ctx).Then(ops...).Commit(); err != nil {
					failures <- err
				}
			}
		}()
	}
	for first := 0; first < count; first += batch {
		firsts <- first
	}
	close(firsts)
	group.Wait()
	close(failures)
	return <-failures
}

func register(s *sample) error {
	ctx := context.Background()
	begun := begin()
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := registerInBatches(ctx, client, s.count); err != nil {
		return err
	}
	begun.report()
	if s.changes == 0 { // the work does not want the slow way, too
		return nil
	}
	begun = begin()
	if err := registerOneByOne(ctx, client, s.count); err != nil {
		return err
	}
	wall, cpu := begun.end()
	report("each_ms", wall.Seconds()*1e3)
	report("each_cpu_ms", cpu.Seconds()*1e3)
	return nil
}

// One lease for all, kept alive by a message now and then.
func beat(s *sample) error {
	const beats = 50
	ctx := context.Background()
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	lease, err := client.Grant(ctx, ttl)
	if err != nil {
		return err
	}
	begun := begin()
	for range beats {
		if _, err := client.KeepAliveOnce(ctx, lease.ID); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	_, cpu := begun.end()
	report("cpu_us", cpu.Seconds()*1e6/beats)
	return nil
}
