// Go's os/exec as a worker; see worker.hpp for what it is asked and how it answers.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const all = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS |
	syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | 0x02000000 // cgroup

var namespaces = map[string]uintptr{"go": 0, "go_user": syscall.CLONE_NEWUSER, "go_all": all}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go worker:", err)
		os.Exit(2)
	}
}

func takeBallast(mib int, pages string) []byte {
	memory, err := syscall.Mmap(-1, 0, mib<<20, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	check(err)
	advice := syscall.MADV_NOHUGEPAGE
	if pages == "huge" {
		advice = syscall.MADV_HUGEPAGE
	}
	_ = syscall.Madvise(memory, advice) // the driver looks at what came of it
	for at := 0; at < len(memory); at += 4096 {
		memory[at] = 1
	}
	return memory
}

func launch(program string, flags uintptr) {
	command := exec.Command(program)
	if flags != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  flags,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	}
	// The streams are inherited: a nil one would be /dev/null, opened anew.
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	check(command.Run())
}

func main() {
	mib, err := strconv.Atoi(os.Args[1])
	check(err)
	ballast := takeBallast(mib, os.Args[2])
	fmt.Println("ready go go_user go_all")
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		words := strings.Fields(input.Text())
		count, err := strconv.Atoi(words[1])
		check(err)
		flags, known := namespaces[words[0]]
		if !known {
			check(fmt.Errorf("no method %s", words[0]))
		}
		var times []string
		for len(times) < count {
			start := time.Now()
			launch(os.Args[3], flags)
			times = append(times, strconv.FormatInt(int64(time.Since(start)), 10))
		}
		fmt.Println(strings.Join(times, " "))
	}
	_ = ballast[0]
}
