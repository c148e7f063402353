package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	callsWarmUp   = 200
	callsInFlight = 64
)

// One key at a time; or, where the work says how many, 64 at once.
func unaryRange(s *sample) error {
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	for range callsWarmUp {
		if _, err := client.Get(context.Background(), key(0)); err != nil {
			return err
		}
	}
	if s.work == "range.canned.64" {
		return rangeMany(s, client)
	}
	samples := make([]int64, s.changes)
	begun := begin()
	for i := range samples {
		start := nowNs()
		if _, err := client.Get(context.Background(), key(0)); err != nil {
			return err
		}
		samples[i] = nowNs() - start
	}
	_, cpu := begun.end()
	reportPercentiles("", samples)
	report("cpu_us", cpu.Seconds()*1e6/float64(s.changes))
	return nil
}

func rangeMany(s *sample, client *clientv3.Client) error {
	var left atomic.Int64
	var failure atomic.Value
	var group sync.WaitGroup
	left.Store(int64(s.changes))
	begun := begin()
	for range callsInFlight {
		group.Add(1)
		go func() {
			defer group.Done()
			for left.Add(-1) >= 0 {
				if _, err := client.Get(context.Background(), key(0)); err != nil {
					failure.Store(err)
					return
				}
			}
		}()
	}
	group.Wait()
	wall, cpu := begun.end()
	if err, isError := failure.Load().(error); isError {
		return err
	}
	report("rate", float64(s.changes)/wall.Seconds()/1e3)
	report("cpu_us", cpu.Seconds()*1e6/float64(s.changes))
	runtime.KeepAlive(client)
	return nil
}
