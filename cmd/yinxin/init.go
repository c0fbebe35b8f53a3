package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/app"
)

// sparePool is how many encryption keys a new house makes ahead.
const sparePool = 256

// question is one thing that init needs; what no flag answered is asked, when
// there is somebody to ask.
type question struct {
	flag  string
	into  *string
	proto string // proposed answer
}

func newInitCommand(u *ui) *cobra.Command {
	var s app.Settings
	var dir, sysadmin, security, auditor string
	var off offlineInit
	c := &cobra.Command{
		Use:   "init",
		Short: u.words.Get("cli.init").Both(),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unit := []question{{"organization", &s.Organization, ""}, {"uscc", &s.USCC, ""}, {"name", &s.Name, "yinxin"}}
			people := []question{{"system-admin", &sysadmin, ""}, {"security-officer", &security, ""}, {"auditor", &auditor, ""}}
			asked := slices.Concat(unit, people)
			switch {
			case off.signed != "":
				asked = people
			case off.roots != "":
				asked = unit
			}
			if err := u.ask(asked); err != nil {
				return fail(err, "cli.hint.init_flags")
			}
			if off.signed != "" {
				return off.end(cmd.Context(), u, dir, administrators(sysadmin, security, auditor))
			}
			code, err := identity.ParseUSCC(s.USCC)
			if err != nil {
				return fail(err, "cli.hint.uscc")
			}
			s.USCC = string(code)
			s.Keys.Pool = sparePool
			if s.Division == "" {
				s.Division = s.USCC[2:8] // GB 32100: characters 3 to 8 are the division of the registering organ
			}
			if s.Public == "" {
				s.Public = net.JoinHostPort("localhost", portOf(s.Listen))
			}
			if len(s.Names) == 0 {
				host, _, err := net.SplitHostPort(s.Public)
				if err != nil {
					return fail(err, "cli.hint.public")
				}
				s.Names = []string{host}
			}
			if off.roots != "" {
				return off.begin(cmd.Context(), u, u.house(s, dir))
			}
			made, err := app.Init(cmd.Context(), u.house(s, dir), administrators(sysadmin, security, auditor))
			if err != nil {
				return fail(err, startHint(err))
			}
			return u.printFounded(dir, made)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "yinxin-data", u.words.Get("cli.serve.dir").Both())
	f.StringVar(&s.Organization, "organization", "", u.words.Get("cli.init.organization").Both())
	f.StringVar(&s.USCC, "uscc", "", u.words.Get("cli.init.uscc").Both())
	f.StringVar(&s.Division, "division", "", u.words.Get("cli.init.division").Both())
	f.StringVar(&s.Name, "name", "", u.words.Get("cli.init.name").Both())
	f.StringVar(&s.DB, "db", "", u.words.Get("cli.init.db").Both())
	f.StringVar(&s.Listen, "listen", ":8443", u.words.Get("cli.init.listen").Both())
	f.StringVar(&s.Plain, "plain", "", u.words.Get("cli.init.plain").Both())
	f.StringVar(&s.Clock, "clock", app.ClockKernel, u.words.Get("cli.init.clock").Both())
	f.StringVar(&s.Public, "public", "", u.words.Get("cli.init.public").Both())
	f.StringSliceVar(&s.Names, "dns", nil, u.words.Get("cli.init.dns").Both())
	f.StringVar(&sysadmin, "system-admin", "", u.words.Get("cli.init.system-admin").Both())
	f.StringVar(&security, "security-officer", "", u.words.Get("cli.init.security-officer").Both())
	f.StringVar(&auditor, "auditor", "", u.words.Get("cli.init.auditor").Both())
	f.StringVar(&off.roots, "offline-roots", "", u.words.Get("ceremony.cli.init_roots").Both())
	f.StringVar(&off.sm3, "root-sm3", "", u.words.Get("ceremony.cli.init_root_sm3").Both())
	f.StringVar(&off.order, "order", "", u.words.Get("ceremony.cli.init_order").Both())
	f.StringVar(&off.signed, "ceremony", "", u.words.Get("ceremony.cli.init_signed").Both())
	return c
}

// ask reads from stdin what no flag gave; an empty line takes the proposal.
func (u *ui) ask(qs []question) error {
	in := bufio.NewReader(io.LimitReader(u.in, 64<<10))
	for _, q := range qs {
		if *q.into != "" {
			continue
		}
		prompt := u.words.Get("cli.init." + q.flag).Both()
		if q.proto != "" {
			prompt += " [" + q.proto + "]"
		}
		fmt.Fprintf(u.err, "%s: ", prompt)
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if *q.into = strings.TrimSpace(line); *q.into == "" {
			*q.into = q.proto
		}
		if *q.into == "" {
			return fmt.Errorf("--%s is missing", q.flag)
		}
	}
	return nil
}

func (u *ui) printFounded(dir string, made app.Founded) error {
	if u.json {
		links := []map[string]string{}
		for _, l := range made.Links {
			links = append(links, map[string]string{"role": string(l.Role), "name": l.Name, "url": l.URL, "expires": l.Expires.Format(time.RFC3339)})
		}
		return u.printJSON(map[string]any{"dir": dir, "sm2_root_sm3": made.SM2RootSM3, "ecdsa_root_sm3": made.ECDSARootSM3, "links": links})
	}
	u.say("cli.init.done", "dir", dir)
	u.say("cli.init.roots", "sm2", made.SM2RootSM3, "ecdsa", made.ECDSARootSM3)
	for _, l := range made.Links {
		role := u.words.Get("role." + string(l.Role))
		fmt.Fprintf(u.out, "  %s %s\n    %s\n", role.Both(), l.Name, l.URL)
	}
	u.say("cli.init.next", "dir", dir)
	return nil
}

// portOf is the port of a listen address, or the usual one.
func portOf(listen string) string {
	if _, port, err := net.SplitHostPort(listen); err == nil && port != "" {
		return port
	}
	return "8443"
}
