package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What Yu-RPC writes of an instance.
type instance struct {
	ServiceName    string `json:"serviceName"`
	ServiceVersion string `json:"serviceVersion"`
	ServiceHost    string `json:"serviceHost"`
	ServicePort    int    `json:"servicePort"`
	ServiceGroup   string `json:"serviceGroup"`
	Weight         int    `json:"weight"`
}

type list map[string]instance

func (l list) put(kv *mvccpb.KeyValue) error {
	var one instance
	if err := json.Unmarshal(kv.Value, &one); err != nil {
		return err
	}
	l[string(kv.Key)] = one
	return nil
}

// The list, and the revision it is of.
func (s *sample) list(client *clientv3.Client) (list, int64, error) {
	answer, err := client.Get(context.Background(), prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, err
	}
	instances := make(list, len(answer.Kvs))
	for _, kv := range answer.Kvs {
		if err := instances.put(kv); err != nil {
			return nil, 0, err
		}
	}
	if len(instances) != s.count {
		return nil, 0, fmt.Errorf("%d instances of %d", len(instances), s.count)
	}
	return instances, answer.Header.Revision, nil
}

func discover(s *sample) error {
	begun := begin()
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	instances, _, err := s.list(client)
	if err != nil {
		return err
	}
	begun.report()
	runtime.KeepAlive(instances)
	return nil
}

func memory(s *sample) error {
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Get(context.Background(), "nothing"); err != nil {
		return err
	}
	idle := privateDirty()
	instances, _, err := s.list(client)
	if err != nil {
		return err
	}
	runtime.GC()
	time.Sleep(time.Second)
	full := privateDirty()
	report("idle_mb", idle/1e6)
	report("full_mb", full/1e6)
	report("each_bytes", (full-idle)/float64(s.count))
	runtime.KeepAlive(instances)
	return nil
}

// A list that is kept.
type follower struct {
	instances list
	changes   clientv3.WatchChan
}

func (s *sample) follow(ctx context.Context, client *clientv3.Client) (*follower, error) {
	instances, revision, err := s.list(client)
	if err != nil {
		return nil, err
	}
	changes := client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1),
		clientv3.WithCreatedNotify())
	if first := <-changes; !first.Created {
		return nil, errors.New("the watch was not made")
	}
	return &follower{instances, changes}, nil
}

// Apply what comes next; gives the number of changes.
func (f *follower) next() (int, error) {
	answer, isOpen := <-f.changes
	if !isOpen || answer.Err() != nil {
		return 0, fmt.Errorf("the watch ended: %v", answer.Err())
	}
	for _, event := range answer.Events {
		if err := f.instances.put(event.Kv); err != nil {
			return 0, err
		}
	}
	return len(answer.Events), nil
}

func watchStorm(s *sample) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	self, err := s.follow(ctx, client)
	if err != nil {
		return err
	}
	begun := begin()
	if err := s.put(ctx); err != nil {
		return err
	}
	for seen := 0; seen < s.changes; {
		count, err := self.next()
		if err != nil {
			return err
		}
		seen += count
	}
	wall, cpu := begun.end()
	for name, one := range self.instances {
		if one.Weight != s.changes/s.count {
			return fmt.Errorf("%s weighs %d", name, one.Weight)
		}
	}
	report("rate", float64(s.changes)/wall.Seconds()/1e6)
	report("cpu_us", cpu.Seconds()*1e6/float64(s.changes))
	report("peak_mb", readProc("/proc/self/status", "VmHWM:")/1e6)
	return nil
}

// The program of yurpc_bench that writes the changes: it begins when its input says so, and
// tells at the end when it did what.
type writer struct {
	command *exec.Cmd
	input   interface{ Write([]byte) (int, error) }
	lines   *bufio.Scanner
}

func (s *sample) startWriter() (*writer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(filepath.Join(filepath.Dir(self), "yurpc_bench"), "--sample", s.work,
		"writer", s.address, strconv.Itoa(s.count), strconv.Itoa(s.changes))
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &writer{command, input, bufio.NewScanner(output)}, command.Start()
}

func change(s *sample) error {
	const warmUp = 20
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	self, err := s.follow(ctx, client)
	if err != nil {
		return err
	}
	other, err := s.startWriter()
	if err != nil {
		return err
	}
	begun := begin()
	if _, err := other.input.Write([]byte("\n")); err != nil {
		return err
	}
	seen := make([]int64, 0, s.changes)
	for len(seen) < s.changes {
		count, err := self.next()
		if err != nil {
			return err
		}
		now := nowNs()
		for range count {
			seen = append(seen, now)
		}
	}
	_, cpu := begun.end()
	var seenNs, ackedNs []int64
	for i := 0; i < s.changes && other.lines.Scan(); i++ {
		var begin, acked int64
		if _, err := fmt.Sscan(other.lines.Text(), &begin, &acked); err != nil {
			return err
		}
		if i >= warmUp {
			seenNs = append(seenNs, seen[i]-begin)
			ackedNs = append(ackedNs, acked-begin)
		}
	}
	if len(seenNs) != s.changes-warmUp {
		return errors.New("the writer failed")
	}
	reportPercentiles("seen_", seenNs)
	reportPercentiles("acked_", ackedNs)
	report("cpu_us", cpu.Seconds()*1e6/float64(s.changes))
	return other.command.Wait()
}

// Watching on while somebody writes as fast as it goes: until the list is true again.
func watchBurst(s *sample) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := s.open()
	if err != nil {
		return err
	}
	defer client.Close()
	self, err := s.follow(ctx, client)
	if err != nil {
		return err
	}
	report("ready", 1)
	for seen := 0; seen < s.changes; {
		count, err := self.next()
		if err != nil {
			return err
		}
		seen += count
	}
	report("true_at", float64(nowNs())/1e6)
	return nil
}
