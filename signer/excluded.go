package signer

import (
	"fmt"
	"slices"
	"strings"
)

// Exclusion is a kind of document that a law or an administrative regulation
// excludes from electronic form: nobody seals one here, and no seal on one would
// have an effect (电子签名法 art. 3 para. 3).
type Exclusion struct {
	Type   string   `json:"type"`   // code
	Words  []string `json:"words"`  // a document type that contains one is of this kind
	Clause string   `json:"clause"` // law and article
	Zh     string   `json:"zh"`
	En     string   `json:"en"`
}

// ExcludedError says which kind was refused and by which clause. It is an
// ErrExcluded.
type ExcludedError struct{ Exclusion Exclusion }

func (e *ExcludedError) Error() string {
	return fmt.Sprintf("%v: %s / %s (%s)", ErrExcluded, e.Exclusion.Zh, e.Exclusion.En, e.Exclusion.Clause)
}

// Unwrap makes it an ErrExcluded.
func (e *ExcludedError) Unwrap() error { return ErrExcluded }

// art3 is the clause of the table; the text is that of 2019-04-23. Real estate,
// electricity and others of the text of 2004 are no longer excluded.
const (
	art3Persons   = "电子签名法 art. 3 para. 3 (1)"
	art3Utilities = "电子签名法 art. 3 para. 3 (2)"
	art3Other     = "电子签名法 art. 3 para. 3 (3)"
)

// Exclusions is the table: what the law itself excludes, then what a site adds.
func Exclusions(site ...Exclusion) []Exclusion {
	return append([]Exclusion{
		{"marriage", []string{"婚姻", "结婚", "离婚", "婚前"}, art3Persons, "涉及婚姻的文书", "documents on marriage"},
		{"adoption", []string{"收养", "领养"}, art3Persons, "涉及收养的文书", "documents on adoption"},
		{"inheritance", []string{"继承", "遗嘱", "遗赠"}, art3Persons, "涉及继承的文书", "documents on inheritance"},
		{"personal_relation", []string{"人身关系", "监护", "亲子", "亲权"}, art3Persons, "涉及其他人身关系的文书", "documents on other personal relations"},
		{"water_stop", []string{"停止供水", "停水"}, art3Utilities, "停止供水的文书", "stopping the supply of water"},
		{"heat_stop", []string{"停止供热", "停热", "停暖", "停止供暖"}, art3Utilities, "停止供热的文书", "stopping the supply of heat"},
		{"gas_stop", []string{"停止供气", "停气"}, art3Utilities, "停止供气的文书", "stopping the supply of gas"},
		{"utility_stop", []string{"停止公用事业", "停止公用服务"}, art3Utilities, "停止其他公用事业服务的文书", "stopping other public utilities"},
		{"excluded_by_law", []string{"不适用电子文书"}, art3Other, "法律、行政法规规定不适用电子文书的其他情形", "other cases that laws or administrative regulations exclude"},
	}, site...)
}

// maxType bounds the name of a kind of document.
const maxType = 64

// CheckType refuses a document type of the table, by its code or by a word in
// it. An empty type is none: what a document is called decides nothing, because
// words of a title mislead both ways.
func CheckType(documentType string, table []Exclusion) error {
	t := strings.ToLower(strings.Join(strings.Fields(documentType), ""))
	if len(t) > maxType {
		return fmt.Errorf("%w: document type of more than %d bytes", ErrInvalid, maxType)
	}
	for _, x := range table {
		if t == strings.ToLower(x.Type) && t != "" || slices.ContainsFunc(x.Words, func(w string) bool { return w != "" && strings.Contains(t, strings.ToLower(w)) }) {
			return &ExcludedError{Exclusion: x}
		}
	}
	return nil
}
