package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	picks     = 10_000_000
	pickWarm  = 100_000
	instances = 100
)

// What a program would keep a service in: replaced as a whole, read without a lock.
type directory struct {
	byName sync.Map // of *pickable
}

type pickable struct {
	current atomic.Pointer[[]*instance]
	cursor  atomic.Uint64
}

func (p *pickable) pick() *instance {
	now := *p.current.Load()
	return now[p.cursor.Add(1)%uint64(len(now))]
}

func (d *directory) pick(name string) *instance {
	found, isThere := d.byName.Load(name)
	if !isThere {
		return nil
	}
	return found.(*pickable).pick()
}

// CPU of a round, by threads on one subject.
func measurePick(figure string, threads int, round func() *instance) {
	var group sync.WaitGroup
	var sum atomic.Int64
	start := make(chan struct{})
	for range threads {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			var last *instance
			for range pickWarm {
				last = round()
			}
			<-start
			begun := cpuOf(rusageThread)
			for range picks {
				last = round()
			}
			sum.Add(int64(cpuOf(rusageThread) - begun))
			runtime.KeepAlive(last)
		}()
	}
	time.Sleep(10 * time.Millisecond)
	close(start)
	group.Wait()
	report(fmt.Sprintf("%s_%d_ns", figure, threads), float64(sum.Load())/float64(threads)/picks)
}

func pick(*sample) error {
	var names directory
	service1 := &pickable{}
	all := make([]*instance, instances)
	for i := range all {
		all[i] = &instance{ServiceHost: host(i), ServicePort: port}
	}
	service1.current.Store(&all)
	names.byName.Store(service, service1)
	for threads := 1; threads <= 2; threads++ {
		measurePick("turn", threads, service1.pick)
		measurePick("find", threads, func() *instance { return names.pick(service) })
	}
	return nil
}
