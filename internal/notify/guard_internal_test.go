package notify

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	for _, tc := range []struct {
		networks string
		addr     string
		want     bool
	}{
		{"", "1.2.3.4", true},
		{"", "2400:3200::1", true},
		{"", "127.0.0.1", false}, {"", "::1", false}, {"", "::ffff:127.0.0.1", false}, {"", "0.0.0.0", false}, {"", "::", false},
		{"", "10.1.2.3", false}, {"", "172.31.0.1", false}, {"", "192.168.1.1", false}, {"", "fd12::1", false}, {"", "100.64.1.1", false}, {"", "::ffff:10.0.0.1", false},
		{"", "169.254.169.254", false}, {"", "fe80::1", false}, {"", "::ffff:169.254.169.254", false}, {"", "100.100.100.200", false}, {"", "168.63.129.16", false},
		{"", "224.0.0.1", false}, {"", "255.255.255.255", false}, {"", "ff02::1", false},
		{"", "64:ff9b::7f00:1", false}, {"", "2002:7f00:1::1", false}, {"", "2001:0:1::1", false},
		{"10.0.0.0/8", "10.1.2.3", true}, {"10.0.0.0/8", "::ffff:10.1.2.3", true}, {"10.0.0.0/8", "192.168.1.1", false}, {"10.1.0.0/16", "10.2.0.1", false},
		{"127.0.0.1/32", "127.0.0.1", true}, {"127.0.0.1/32", "127.0.0.2", false},
		// No setting opens these.
		{"0.0.0.0/0", "169.254.169.254", false}, {"169.254.0.0/16", "169.254.169.254", false}, {"100.64.0.0/10", "100.100.100.200", false}, {"::/0", "fe80::1", false}, {"::/0", "fd00:ec2::254", false}, {"64:ff9b::/96", "64:ff9b::a9fe:a9fe", false},
		{"::/0", "fd00::1", true},
	} {
		g, err := Networks(strings.Fields(tc.networks))
		if err != nil {
			t.Fatal(err)
		}
		if got := guard(g).allows(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%q allows %s: %v", tc.networks, tc.addr, got)
		}
	}
	for _, bad := range []string{"10.0.0.0", "10.0.0.1/8", "x", "", "::ffff:10.0.0.0/104"} {
		if _, err := Networks([]string{bad}); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "host:1", "1.2.3.4"} { // what a resolver never gives
		if err := (guard{}).control("tcp", bad, nil); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAddressesThatCannotBeRegistered(t *testing.T) {
	for _, tc := range []struct {
		kind ChannelKind
		in   string
		host string // "": refused
	}{
		{Webhook, "https://hook.example/in", "hook.example:443"}, {Webhook, "https://hook.example:8443", "hook.example:8443"}, {Webhook, "https://[2400:3200::1]/", "[2400:3200::1]:443"},
		{Webhook, "https://10.1.2.3/in", "10.1.2.3:443"}, {Webhook, "https://xn--fiqs8s.example/", "xn--fiqs8s.example:443"},
		{Webhook, "http://hook.example/", ""}, {Webhook, "HTTPS://u:p@hook.example/", ""}, {Webhook, "https://hook.example/?token=1", ""}, {Webhook, "https://hook.example/?", ""}, {Webhook, "https://hook.example/#a", ""},
		{Webhook, "https://2130706433/", ""}, {Webhook, "https://0177.0.0.1/", ""}, {Webhook, "https://0x7f.1/", ""}, {Webhook, "https://0x7f000001/", ""}, {Webhook, "https://127.1/", ""}, {Webhook, "https://hook.example.1/", ""},
		{Webhook, "https://[::ffff:127.0.0.1]/", ""}, {Webhook, "https://[fe80::1%25eth0]/", ""}, {Webhook, "https:///in", ""}, {Webhook, "https://hook.example:0/", ""}, {Webhook, "https://hook.example:99999/", ""}, {Webhook, "https://hook.example:/", ""},
		{Webhook, "https://hook.example/a b", ""}, {Webhook, "https://hook.example\\@evil.example/", ""}, {Webhook, "https://hook.example/\r\nX: y", ""}, {Webhook, "https://中国.example/", ""}, {Webhook, "file:///etc/passwd", ""}, {Webhook, "https:hook.example", ""},
		{Webhook, "https://hook.example/" + strings.Repeat("a", 300), ""}, {Webhook, "", ""}, {Webhook, "tls://log.example", ""},
		{Syslog, "tls://log.example", "log.example:6514"}, {Syslog, "tcp://log.example", "log.example:601"}, {Syslog, "udp://log.example:5514", "log.example:5514"},
		{Syslog, "https://log.example", ""}, {Syslog, "unix:///dev/log", ""}, {Syslog, "tls://log.example/", ""}, {Syslog, "log.example:514", ""},
	} {
		u, err := endpoint(tc.kind, tc.in)
		switch {
		case tc.host == "" && !errors.Is(err, ErrInvalid):
			t.Errorf("%s %q: %v, %v", tc.kind, tc.in, u, err)
		case tc.host != "" && (err != nil || u.Host != tc.host):
			t.Errorf("%s %q: %v, %v", tc.kind, tc.in, u, err)
		}
	}
}
