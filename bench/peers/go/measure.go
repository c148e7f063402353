package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	clockMonotonic = 1
	rusageThread   = 1
)

// The clock that all processes of the benchmark share.
func nowNs() int64 {
	var now syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic,
		uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func cpuOf(who int) time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(who, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A stretch of work.
type span struct {
	wall time.Time
	cpu  time.Duration
}

func begin() span {
	return span{time.Now(), cpuOf(syscall.RUSAGE_SELF)}
}

func (s span) end() (wall, cpu time.Duration) {
	return time.Since(s.wall), cpuOf(syscall.RUSAGE_SELF) - s.cpu
}

// As ours: wall_ms, cpu_ms, peak_mb.
func (s span) report() {
	wall, cpu := s.end()
	report("wall_ms", wall.Seconds()*1e3)
	report("cpu_ms", cpu.Seconds()*1e3)
	report("peak_mb", readProc("/proc/self/status", "VmHWM:")/1e6)
}

// The value of a line "NAME: N kB", in bytes.
func readProc(path, name string) float64 {
	text, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == name {
			kilobytes, _ := strconv.ParseFloat(fields[1], 64)
			return kilobytes * 1024
		}
	}
	return 0
}

func privateDirty() float64 {
	return readProc("/proc/self/smaps_rollup", "Private_Dirty:")
}

func reportPercentiles(prefix string, samplesNs []int64) {
	slices.Sort(samplesNs)
	report(prefix+"p50_us", float64(samplesNs[len(samplesNs)/2])/1e3)
	report(prefix+"p99_us", float64(samplesNs[len(samplesNs)*99/100])/1e3)
}
