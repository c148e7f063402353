// The peer of the benchmark: etcd's own client in Go, with encoding/json, doing what a program
// would do with it. Started as yurpc_bench starts its own programs:
//
//	yurpc_bench_go --sample WORK go ADDRESS COUNT CHANGES
//
// It reports figures as lines "FIGURE VALUE", and says on stderr why it failed.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	service = "com.acme.UserService:1.0"
	prefix  = "/rpc/" + service + "/"
	port    = 8080
)

// One run of one work.
type sample struct {
	work    string
	address string
	count   int
	changes int
}

// The works by the beginning of their names.
var programs = []struct {
	prefix string
	run    func(*sample) error
}{
	{"discover.", discover},
	{"memory.", memory},
	{"watch.", watchStorm},
	{"burst.", watchBurst},
	{"change.", change},
	{"range.", unaryRange},
	{"register.", register},
	{"beat.", beat},
	{"pick", pick},
}

func report(figure string, value float64) {
	fmt.Printf("%s %.9g\n", figure, value)
}

func (s *sample) open() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{strings.TrimPrefix(s.address, "http://")},
		DialTimeout: 10 * time.Second,
		Logger:      zap.NewNop(),
	})
}

func host(index int) string {
	return fmt.Sprintf("10.%d.%d.%d", index>>16&255, index>>8&255, index&255)
}

func key(index int) string {
	return fmt.Sprintf("%s%s:%d", prefix, host(index), port)
}

func value(index int) string {
	return fmt.Sprintf(`{"serviceName":"com.acme.UserService","serviceVersion":"1.0",`+
		`"serviceHost":"%s","servicePort":%d,"serviceGroup":"default"}`, host(index), port)
}

// Begin the storm of a canned server, or be somebody else who writes.
func (s *sample) put(ctx context.Context) error {
	other, err := s.open()
	if err != nil {
		return err
	}
	defer other.Close()
	_, err = other.Put(ctx, key(0), value(0))
	return err
}

func main() {
	if len(os.Args) != 7 || os.Args[1] != "--sample" {
		fmt.Fprintln(os.Stderr, "yurpc_bench starts this")
		os.Exit(2)
	}
	count, _ := strconv.Atoi(os.Args[5])
	changes, _ := strconv.Atoi(os.Args[6])
	self := &sample{work: os.Args[2], address: os.Args[4], count: count, changes: changes}
	for _, program := range programs {
		if strings.HasPrefix(self.work, program.prefix) {
			if err := program.run(self); err != nil {
				fmt.Fprintf(os.Stderr, "%s: Go: %v\n", self.work, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%s: Go: no such work\n", self.work)
	os.Exit(2)
}
