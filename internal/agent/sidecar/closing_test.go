package sidecar

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// 电子签名法 art. 23: a house that announces its end is heard, once a day, and `agent
// status` shows it; one that does not answer changes nothing.
func TestTheAnnouncedEndIsHeard(t *testing.T) {
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	f := newFolder(t, &now, map[agent.Track]time.Duration{agent.TrackTLS: 90 * 24 * time.Hour, agent.TrackSM2: 365 * 24 * time.Hour})
	status := File(filepath.Join(t.TempDir(), "status.json"))
	var said wire.Closing
	var away error
	asked := 0
	var log bytes.Buffer
	s, err := New(Config{
		System: f, Status: status, Log: slog.New(slog.NewTextHandler(&log, nil)), Draw: func() float64 { return 0.5 }, Now: func() time.Time { return now },
		Closing: func(context.Context) (wire.Closing, error) { asked++; return said, away },
	})
	if err != nil {
		t.Fatal(err)
	}
	step := func(sleep time.Duration, calls int, announced bool) {
		t.Helper()
		now = now.Add(sleep)
		log.Reset()
		if _, err := s.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		st, err := status.Read()
		if err != nil || asked != calls || (st.Closing != nil) != announced {
			t.Errorf("asked %d times, want %d; %+v, %v", asked, calls, st.Closing, err)
		}
	}
	said.Phase = "open"
	step(0, 1, false)
	step(time.Minute, 1, false)
	said = wire.Closing{Phase: "closing", At: now.Add(100 * 24 * time.Hour), Reason: "机构撤并"}
	step(24*time.Hour, 2, true)
	if !strings.Contains(log.String(), "机构撤并") || !strings.Contains(log.String(), "WARN") {
		t.Errorf("no warning: %s", log.String())
	}
	away = errors.New("house away")
	step(24*time.Hour, 3, true)
	step(time.Minute, 3, true)
	step(time.Hour, 4, true)
	away, said = nil, wire.Closing{Phase: "open"}
	step(time.Hour, 5, false)
}
