package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"

	"github.com/yinxin-gov/yinxin/signer/cite"
)

// maxCitations bounds a file of citations.
const maxCitations = 1 << 20

// readCitations reads what --cite names: a list with one entry for each resource
// that the document quotes. Nobody is asked for the consents here; who verifies
// the document is told that it was not.
func readCitations(name string) ([]cite.Citation, error) {
	raw, err := readFile(name, maxCitations)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Resource     string `yaml:"resource"`
		Title        string `yaml:"title"`
		Provider     string `yaml:"provider"`
		ProviderName string `yaml:"provider_name"`
		Consumer     string `yaml:"consumer"`
		Consent      string `yaml:"consent"`
		Note         string `yaml:"note"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&rows); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	list := make([]cite.Citation, len(rows))
	for i, r := range rows {
		list[i] = cite.Citation{
			Resource: r.Resource, Title: r.Title, Provider: r.Provider, ProviderName: r.ProviderName, Consumer: r.Consumer, Consent: r.Consent, Note: r.Note,
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no citation", name)
	}
	if _, err := cite.Encode(list); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}
