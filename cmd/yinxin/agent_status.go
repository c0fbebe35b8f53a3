package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/agent/sidecar"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// overdue is how long after its time a renewal may be, with a sidecar that runs.
const overdue = time.Hour

// agentStatus is what `agent status` says; OK false ends with exit 1.
type agentStatus struct {
	System  string          `json:"system"`
	Dir     string          `json:"dir"`
	House   string          `json:"house"`
	Set     string          `json:"set"`
	OldKeys int             `json:"old_encryption_keys"`
	Updated time.Time       `json:"updated,omitzero"` // by the sidecar
	Tracks  []trackStatus   `json:"tracks"`
	Reload  *sidecar.Reload `json:"reload,omitempty"`
	OK      bool            `json:"ok"`
	Closing *wire.Closing   `json:"closing,omitempty"` // the announced end of the house's service
}

type trackStatus struct {
	agent.Held
	Next  time.Time `json:"next,omitzero"` // renewal, or the next try
	Error string    `json:"error,omitempty"`
	State string    `json:"state"` // good, due, failed, expired
}

func newAgentStatus(u *ui, f *agentFlags) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: u.words.Get("agent.status.short").Both(), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := f.joined()
			if err != nil {
				return err
			}
			a, err := agent.Open(cfg)
			if err != nil {
				return hinted(err)
			}
			defer a.Close()
			st, err := statusFile(f.dir).Read()
			if err != nil {
				return fail(err, "agent.hint.files")
			}
			out := judgeAgent(a.Held(), st, time.Now())
			out.System, out.Dir, out.House, out.Set, out.OldKeys = a.System(), f.dir, cfg.URL, a.Set(), a.OldKeys()
			code := exitOK
			if !out.OK {
				code = exitInvalid
			}
			if u.json {
				if err := u.printJSON(out); err != nil {
					return err
				}
				return result(code)
			}
			u.printAgent(out)
			return result(code)
		},
	}
}

// judgeAgent puts what is held beside what the sidecar said last.
func judgeAgent(held []agent.Held, st sidecar.State, now time.Time) agentStatus {
	out := agentStatus{Updated: st.Updated, Reload: st.Reload, Closing: st.Closing, OK: true}
	for _, h := range held {
		t := trackStatus{Held: h, State: "good"}
		if plan := st.Tracks[h.Track]; plan.Serial == h.Serial {
			t.Next, t.Error = plan.Next, plan.Error
		}
		switch {
		case now.After(h.NotAfter):
			t.State = "expired"
		case t.Error != "":
			t.State = "failed"
		case !t.Next.IsZero() && now.After(t.Next.Add(overdue)):
			t.State = "due" // nothing runs that would renew it
		}
		out.OK = out.OK && t.State == "good"
		out.Tracks = append(out.Tracks, t)
	}
	if st.Reload != nil && st.Reload.Error != "" {
		out.OK = false
	}
	return out
}

func (u *ui) printAgent(s agentStatus) {
	u.line("", "agent.status.system", data("system", s.System), data("dir", s.Dir), data("house", s.House), data("set", s.Set))
	for _, t := range s.Tracks {
		u.line("", "agent.status.track."+string(t.Track), filling{name: "state", key: "agent.status.state." + t.State}, data("serial", t.Serial), data("until", when(t.NotAfter)))
		if !t.Next.IsZero() && t.State != "expired" {
			u.line("  ", "agent.status.next", data("next", when(t.Next)))
		}
		if t.Error != "" {
			u.line("  ", "agent.status.error", data("error", t.Error))
		}
		if t.State == "expired" {
			u.line("  ", "agent.status.expired")
		}
	}
	if s.Reload != nil && s.Reload.Error != "" {
		u.line("", "agent.status.reload", data("error", s.Reload.Error))
	}
	if s.Closing != nil {
		u.line("", "agent.status.closing", data("at", when(s.Closing.At)), data("reason", s.Closing.Reason))
	}
	if s.OldKeys > 0 {
		u.line("", "agent.status.old", data("n", fmt.Sprint(s.OldKeys)))
	}
	if s.Updated.IsZero() {
		u.line("", "agent.status.never")
	} else {
		u.line("", "agent.status.updated", data("time", when(s.Updated)))
	}
}

func when(t time.Time) string { return t.UTC().Format(time.RFC3339) }
