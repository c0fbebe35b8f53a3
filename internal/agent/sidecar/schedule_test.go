package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
)

// folder is a System whose house can be away. It checks the whole promise: no
// renewal too early, none after the end, no certificate that ends while the
// house was there to renew it.
type folder struct {
	t     *testing.T
	now   *time.Time
	life  map[agent.Track]time.Duration
	held  map[agent.Track]agent.Held
	away  bool
	set   int
	asked int
}

var errAway = errors.New("house away")

func newFolder(t *testing.T, now *time.Time, life map[agent.Track]time.Duration) *folder {
	f := &folder{t: t, now: now, life: life, held: map[agent.Track]agent.Held{}}
	for _, track := range []agent.Track{agent.TrackTLS, agent.TrackSM2} {
		f.issue(track)
	}
	return f
}

func (f *folder) issue(track agent.Track) {
	f.set++
	f.held[track] = agent.Held{Track: track, Serial: fmt.Sprint(f.set), NotBefore: *f.now, NotAfter: f.now.Add(f.life[track])}
}

func (f *folder) Refresh() (string, error) { return fmt.Sprintf("%06d", f.set), nil }

func (f *folder) Held() []agent.Held {
	return []agent.Held{f.held[agent.TrackTLS], f.held[agent.TrackSM2]}
}

// LearnRoots is asked behind every renewal; that the house cannot be asked stops none.
func (f *folder) LearnRoots(context.Context) ([]string, error) { return nil, errors.New("no house") }

func (f *folder) Renew(_ context.Context, track agent.Track) error {
	f.asked++
	h := f.held[track]
	life := h.NotAfter.Sub(h.NotBefore)
	if early := h.NotBefore.Add(life*2/3 - life/spread); f.now.Before(early) {
		f.t.Errorf("%s renewed at %s, before %s", track, f.now, early)
	}
	if f.away {
		return errAway
	}
	if f.now.After(h.NotAfter) {
		return agent.ErrExpired
	}
	f.issue(track)
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Over many lives, outages and restarts: see folder. The margin is what is left
// at two thirds and a twentieth, less the longest wait between two tries.
func TestSchedule_Property(t *testing.T) {
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 7))
		now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
		life := map[agent.Track]time.Duration{
			agent.TrackTLS: time.Hour + time.Duration(r.Int64N(int64(100*24*time.Hour))),
			agent.TrackSM2: 24*time.Hour + time.Duration(r.Int64N(int64(800*24*time.Hour))),
		}
		if seed%2 == 1 { // as short as certificates get
			life[agent.TrackTLS], life[agent.TrackSM2] = life[agent.TrackTLS]/1000+time.Hour, life[agent.TrackSM2]/1000+time.Hour
		}
		f := newFolder(t, &now, life)
		status := File(filepath.Join(t.TempDir(), "status.json"))
		start := func() *Sidecar {
			s, err := New(Config{System: f, Status: status, Log: quiet(), Draw: r.Float64, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := start()
		end := now.Add(3 * life[agent.TrackTLS])
		var back time.Time // since when the house is there
		for now.Before(end) {
			next, err := s.Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for track, h := range f.held {
				margin := h.NotAfter.Sub(h.NotBefore) / 10
				if !f.away && now.After(h.NotAfter.Add(-margin)) && now.Sub(back) > margin {
					t.Fatalf("seed %d: %s of %s is not renewed %s before its end, house there since %s", seed, track, life[track], h.NotAfter.Sub(now), now.Sub(back))
				}
			}
			// To the next thing by the plan; the daemon looks every minute besides.
			sleep := max(next.Sub(now), time.Second)
			if p := s.plans[agent.TrackTLS].next; sleep == tick && p.After(now.Add(tick)) {
				sleep = min(p.Sub(now), life[agent.TrackTLS]/50)
			}
			now = now.Add(sleep)
			switch r.IntN(200) {
			case 0:
				s = start() // a restart
			case 1:
				now = now.Add(time.Duration(r.Int64N(int64(life[agent.TrackTLS] / 4)))) // nothing ran
				s, back = start(), now
			case 2, 3, 4, 5, 6, 7, 8, 9:
				f.away = true
			default:
				if f.away && r.IntN(6) == 0 {
					f.away, back = false, now
					for track, h := range f.held { // ended meanwhile: joined anew
						if now.After(h.NotAfter) {
							f.issue(track)
						}
					}
				}
			}
			if !f.away {
				for track, h := range f.held {
					if now.After(h.NotAfter) {
						f.issue(track)
						back = now
					}
				}
			}
		}
		if f.asked == 0 {
			t.Errorf("seed %d: nothing was renewed", seed)
		}
	}
}

// After a time when nothing ran, the first step renews.
func TestSchedule_AfterDowntimeAtOnce(t *testing.T) {
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	f := newFolder(t, &now, map[agent.Track]time.Duration{agent.TrackTLS: 24 * time.Hour, agent.TrackSM2: 24 * time.Hour})
	status := File(filepath.Join(t.TempDir(), "status.json"))
	step := func() *Sidecar {
		s, err := New(Config{System: f, Status: status, Log: quiet(), Draw: rand.Float64, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	step()
	now = now.Add(22 * time.Hour)
	step()
	if f.asked != 2 || f.set != 4 {
		t.Errorf("%d asked, set %d", f.asked, f.set)
	}
	// Ended: it is said, and stays said.
	f.away = true
	now = now.Add(20 * time.Hour)
	s := step()
	st, err := status.Read()
	if err != nil || st.Tracks[agent.TrackTLS].Error != errAway.Error() || st.Tracks[agent.TrackTLS].Tries == 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := s.Failures(); err == nil {
		t.Error("no failure is told")
	}
	f.away = false
	step()
	if st, err = status.Read(); err != nil || st.Tracks[agent.TrackTLS].Error != "" {
		t.Errorf("%+v, %v", st, err)
	}
}

// A plan made by a wrong clock, or by hand, does not let a certificate end.
func TestSchedule_ClockThatWasWrong(t *testing.T) {
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	f := newFolder(t, &now, map[agent.Track]time.Duration{agent.TrackTLS: 24 * time.Hour, agent.TrackSM2: 24 * time.Hour})
	status := File(filepath.Join(t.TempDir(), "status.json"))
	far := now.AddDate(10, 0, 0)
	if err := status.write(State{Tracks: map[agent.Track]Track{agent.TrackTLS: {Serial: "1", Next: far}, agent.TrackSM2: {Serial: "2", Next: far, Tries: 3}}}); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{System: f, Status: status, Log: quiet(), Draw: rand.Float64, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for track, p := range s.plans {
		if p.next.After(now.Add(18 * time.Hour)) {
			t.Errorf("%s is planned for %s", track, p.next)
		}
	}
}

func TestBackoff(t *testing.T) {
	for tries := range 100 {
		for _, draw := range []float64{0, 0.5, 0.999} {
			if w := backoff(tries, draw); w < backoffMin/2 || w > backoffMax {
				t.Errorf("try %d waits %s", tries, w)
			}
		}
	}
	if backoff(3, 0) <= backoff(0, 0.999) {
		t.Error("it does not grow")
	}
}

func TestStatus_Damaged(t *testing.T) {
	now := time.Now()
	f := newFolder(t, &now, map[agent.Track]time.Duration{agent.TrackTLS: time.Hour, agent.TrackSM2: time.Hour})
	status := File(filepath.Join(t.TempDir(), "status.json"))
	writeText(t, string(status), "{")
	if _, err := status.Read(); !errors.Is(err, ErrStatus) {
		t.Errorf("%v", err)
	}
	s, err := New(Config{System: f, Status: status, Log: quiet(), Draw: rand.Float64})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := status.Read(); err != nil || len(st.Tracks) != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	// What cannot be written is an error of the step, not of the process.
	s.cfg.Status = File(filepath.Join(string(status), "status.json"))
	if _, err := s.Step(t.Context()); !errors.Is(err, ErrStatus) {
		t.Errorf("%v", err)
	}
}
