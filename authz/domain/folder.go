package domain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// Files of a draft.
const (
	FileDomain = "domain.yaml" // what Bundle declares
	FileCases  = "cases.yaml"
	FileData   = "data.json" // may be absent
	suffixRego = ".rego"
	suffixTest = "_test.rego"
)

// ReadFolder reads a draft: FileDomain, FileCases, FileData, every module and every
// test beside them. Folders below are not looked into.
func ReadFolder(folder fs.FS) (b Bundle, err error) {
	if err := readYAML(folder, FileDomain, &b); err != nil {
		return Bundle{}, err
	}
	if err := readYAML(folder, FileCases, &b.Cases); err != nil {
		return Bundle{}, err
	}
	b.Modules, b.Tests = map[string]string{}, map[string]string{}
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return Bundle{}, err
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, suffixRego) {
			continue
		}
		raw, err := read(folder, name, maxModule)
		if err != nil {
			return Bundle{}, err
		}
		into := b.Modules
		if strings.HasSuffix(name, suffixTest) {
			into = b.Tests
		}
		into[name] = string(raw)
	}
	b.Data, err = read(folder, FileData, sandbox.MaxData)
	if errors.Is(err, fs.ErrNotExist) {
		b.Data, err = nil, nil
	}
	if err != nil {
		return Bundle{}, err
	}
	return b, b.Validate()
}

func readYAML(folder fs.FS, name string, into any) error {
	raw, err := read(folder, name, maxModule)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s: more than one document", ErrInvalid, name)
	}
	return nil
}

func read(folder fs.FS, name string, limit int64) (_ []byte, err error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%w: %s: more than %d bytes", sandbox.ErrSize, name, limit)
	}
	return raw, err
}
