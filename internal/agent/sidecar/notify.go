package sidecar

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// Notifier speaks sd_notify(3) to the service manager that started the process.
// The zero Notifier speaks to nobody.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// Manager reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; pid is this
// process's.
func Manager(getenv func(string) string, pid int) Notifier {
	n := Notifier{socket: getenv("NOTIFY_SOCKET")}
	of := getenv("WATCHDOG_PID")
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 && (of == "" || of == strconv.Itoa(pid)) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Ready ends the start.
func (n Notifier) Ready() error { return n.send("READY=1") }

// Alive says that the loop turns.
func (n Notifier) Alive() error {
	if n.watchdog == 0 {
		return nil
	}
	return n.send("WATCHDOG=1")
}

// Stopping begins the end.
func (n Notifier) Stopping() error { return n.send("STOPPING=1") }

// every is how often Alive is due: twice in the manager's time.
func (n Notifier) every() time.Duration {
	if n.watchdog == 0 {
		return tick
	}
	return max(n.watchdog/2, time.Second)
}

func (n Notifier) send(state string) error {
	if n.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"}) // "@…" is abstract
	if err != nil {
		return fmt.Errorf("sidecar: notify: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("sidecar: notify: %w", err)
	}
	return nil
}
