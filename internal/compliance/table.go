package main

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed rows.tsv systems.tsv surfaces.tsv
var data embed.FS

// state of a row or a system, worst last but out.
type state int

const (
	tested state = iota
	partly
	open
	out
)

func (s state) zh() string { return [...]string{"已测试", "部分", "未建", "不在范围内"}[s] }
func (s state) en() string { return [...]string{"tested", "partly", "open", "out of scope"}[s] }

// row is one duty.
type row struct {
	id, article, class, rooms, zh, en string
	issue, leftZh, leftEn             string // what is not done, and in which issue ("-": none yet)
	tests                             []test
	state                             state
}

// surface is a way in which systems use the house.
type surface struct {
	id, zh, en, by string
	rows           []string
}

// system is one that a regulation names.
type system struct {
	id, zh, en, articles, class string
	surfaces, rows              []string
	state                       state
	missing                     []string // rows that are not tested
}

type tables struct {
	rows     []*row
	surfaces []*surface
	systems  []*system
}

var (
	rowID     = regexp.MustCompile(`^(X11|X14|XA18|BJ17|BJ05)-\d{1,2}[a-f]?$`)
	articlesZ = regexp.MustCompile(`^(X11|X14|XA18|BJ17|BJ05)#[\d.,]+(; (X11|X14|XA18|BJ17|BJ05)#[\d.,]+)*$`)
)

func loadTables() (*tables, error) {
	t := &tables{}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	lines := func(name string, columns int, each func(f []string)) {
		raw, err := data.ReadFile(name)
		if err != nil {
			bad("%w", err)
			return
		}
		for i, l := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
			f := strings.Split(l, "\t")
			if len(f) != columns {
				bad("%s:%d: %d columns, want %d", name, i+1, len(f), columns)
			} else if i > 0 {
				each(f)
			}
		}
	}
	known := map[string]bool{}
	once := func(id string) {
		if known[id] {
			bad("%s stands twice", id)
		}
		known[id] = true
	}
	lines("rows.tsv", 9, func(f []string) {
		r := &row{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], nil, tested}
		once(r.id)
		if !rowID.MatchString(r.id) || r.zh == "" || r.en == "" || !slices.Contains([]string{"core", "support", "out"}, r.class) {
			bad("rows.tsv: %q is no row", f)
		}
		if left := r.issue != ""; left != (r.leftZh != "") || left != (r.leftEn != "") || left && r.class == "out" {
			bad("rows.tsv: %s: what is left needs issue and both languages", r.id)
		}
		t.rows = append(t.rows, r)
	})
	refs := func(of, list string) []string {
		ids := strings.Fields(list)
		for _, id := range ids {
			if !known[id] {
				bad("%s names %s, which does not exist", of, id)
			}
		}
		return ids
	}
	lines("surfaces.tsv", 5, func(f []string) {
		once(f[0])
		t.surfaces = append(t.surfaces, &surface{f[0], f[1], f[2], f[3], refs(f[0], f[4])})
	})
	lines("systems.tsv", 7, func(f []string) {
		once(f[0])
		if !articlesZ.MatchString(f[3]) {
			bad("%s: articles %q", f[0], f[3])
		}
		s := &system{f[0], f[1], f[2], f[3], f[4], nil, refs(f[0], f[6]), out, nil}
		if f[5] != "-" {
			s.surfaces = refs(f[0], f[5])
		}
		t.systems = append(t.systems, s)
	})
	return t, errors.Join(errs...)
}

// settle finds the state of everything.
func (t *tables) settle(tests []test) error {
	byID := map[string]*row{}
	for _, r := range t.rows {
		byID[r.id] = r
	}
	var errs []error
	for _, at := range tests {
		for _, id := range at.rows {
			if r := byID[id]; r != nil {
				r.tests = append(r.tests, at)
			} else {
				errs = append(errs, fmt.Errorf("%s: %s names %s, which is no row", at.room, at.name, id))
			}
		}
	}
	for _, r := range t.rows {
		switch {
		case r.class == "out":
			r.state = out
		case len(r.tests) == 0 && r.issue == "":
			errs = append(errs, fmt.Errorf("%s has no test Test%s_… and nothing left to do", r.id, strings.ReplaceAll(r.id, "-", "_")))
		case len(r.tests) == 0:
			r.state = open
		case r.issue != "":
			r.state = partly
		}
	}
	needs := map[string][]string{}
	for _, s := range t.surfaces {
		needs[s.id] = s.rows
	}
	for _, s := range t.systems {
		if s.class == "out" {
			continue
		}
		all := slices.Clone(s.rows)
		for _, id := range s.surfaces {
			all = append(all, needs[id]...)
		}
		slices.Sort(all)
		s.stand(slices.Compact(all), byID)
	}
	return errors.Join(errs...)
}

// stand finds the state of a system from the rows it needs.
func (s *system) stand(rows []string, byID map[string]*row) {
	s.state = open
	for _, id := range rows {
		if byID[id].state != tested {
			s.missing = append(s.missing, id)
		}
		if byID[id].state < open {
			s.state = partly
		}
	}
	if len(rows) > 0 && len(s.missing) == 0 {
		s.state = tested
	}
}
