// Package pdfview draws pages of PDF files and finds text on them. It is the one
// room that may import PDFium: the engine runs as WebAssembly inside this
// process, without cgo.
//
// Isolation is the point, because the files are foreign: the engine has no
// network, no clock, no environment and no file but the fonts of one folder, read
// only; its memory is capped; the context's end and the time limit kill it in the
// middle of its work. Each call gets an instance of its own, so nothing of one
// document is there for the next. A crash of the engine is an error of that call
// and of nothing else.
//
// Nothing runs until the first call. An engine that nobody used for a while is
// let go with its memory (about 100 MB of compiled code).
//
// It never judges. PDFium repairs what it can, and what it shows of a broken file
// is not what signer/pdf reads; only files that signer/verify has read belong here.
// It refuses encrypted files, files over its limit, pages that are not there.
package pdfview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime/debug"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/yinxin-gov/yinxin/signer/pdf"
)

// Limits of one call.
const (
	maxFile   = 64 << 20
	maxPages  = 5_000     // that a search reads
	maxChars  = 2_000_000 // that a search reads
	maxPixels = 4000      // of one side of a picture
	wasmPage  = 64 << 10
)

// Config of a Viewer. Zero values stand for the ones that are named.
type Config struct {
	Fonts  string        // folder with fonts for text without embedded ones; "": none
	Memory int64         // bytes that one call may use; 256 MB
	Time   time.Duration // that one call may take; 20 s
	Idle   time.Duration // after which an unused engine is let go; 1 min
	Slots  int           // calls at once, the next ones wait; 2
	// Cache is a folder that keeps the engine's machine code, to start sooner; "":
	// none. Who may write to it decides what this process runs.
	Cache string
}

// Viewer is safe for concurrent use. It needs no end, but Close frees its memory
// at once.
type Viewer struct {
	cfg   Config
	slots chan struct{}

	mu    sync.Mutex
	pool  pdfium.Pool
	close func() error // of what the engine uses
	users int
	timer *time.Timer
}

// New starts nothing yet.
func New(cfg Config) *Viewer {
	if cfg.Memory == 0 {
		cfg.Memory = 256 << 20
	}
	if cfg.Time == 0 {
		cfg.Time = 20 * time.Second
	}
	if cfg.Idle == 0 {
		cfg.Idle = time.Minute
	}
	if cfg.Slots == 0 {
		cfg.Slots = 2
	}
	return &Viewer{cfg: cfg, slots: make(chan struct{}, cfg.Slots)}
}

// Close lets the engine go unless calls are under way; a later call starts it
// again.
func (v *Viewer) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.release()
}

// release runs under the lock.
func (v *Viewer) release() error {
	if v.pool == nil || v.users > 0 {
		return nil
	}
	err := errors.Join(v.pool.Close(), v.close())
	v.pool, v.close = nil, nil
	debug.FreeOSMemory() // what it held is most of what this process holds
	return err
}

// acquire starts the engine where it does not run; every success wants a done.
func (v *Viewer) acquire() (pdfium.Pool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pool == nil {
		if err := v.start(); err != nil {
			return nil, err
		}
	}
	v.users++
	return v.pool, nil
}

func (v *Viewer) done() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.users--; v.users > 0 {
		return
	}
	if v.timer != nil {
		v.timer.Stop()
	}
	// What could not be freed now is freed by the end of the process.
	v.timer = time.AfterFunc(v.cfg.Idle, func() { _ = v.Close() })
}

// start compiles the engine: seconds of work without a cache.
func (v *Viewer) start() error {
	files, closeFiles, err := v.files()
	if err != nil {
		return err
	}
	pages := uint32(min((v.cfg.Memory+wasmPage-1)/wasmPage, 1<<16))
	run := wazero.NewRuntimeConfig().WithMemoryLimitPages(pages).WithCloseOnContextDone(true)
	if v.cfg.Cache != "" {
		cache, err := wazero.NewCompilationCacheWithDir(v.cfg.Cache)
		if err != nil {
			return fmt.Errorf("pdfview: cache: %w", errors.Join(err, closeFiles()))
		}
		run = run.WithCompilationCache(cache)
		closeFonts := closeFiles
		closeFiles = func() error { return errors.Join(cache.Close(context.Background()), closeFonts()) }
	}
	v.pool, err = webassembly.Init(webassembly.Config{
		MaxTotal: v.cfg.Slots, FSConfig: files, Stdout: io.Discard, Stderr: io.Discard, RuntimeConfig: run,
	})
	if err != nil {
		return fmt.Errorf("pdfview: start the engine: %w", errors.Join(err, closeFiles()))
	}
	v.close = closeFiles
	return nil
}

// document is an open file in an instance of its own.
type document struct {
	pdfium.Pdfium
	ref   references.FPDF_DOCUMENT
	pages int
}

// with opens a file in a new instance and ends it afterwards, whatever happened.
func (v *Viewer) with(ctx context.Context, file []byte, work func(document) error) error {
	if len(file) > maxFile {
		return fmt.Errorf("%w: file of %d bytes", pdf.ErrLimit, len(file))
	}
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return stopped(ctx)
	}
	pool, err := v.acquire()
	if err != nil {
		return err
	}
	defer v.done()
	ctx, cancel := context.WithTimeout(ctx, v.cfg.Time)
	defer cancel()
	in, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return fmt.Errorf("pdfview: instance: %w", err)
	}
	// Closing what a crash has closed already is no news.
	defer func() { _ = in.Close() }()
	m, err := module(in)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = m.CloseWithExitCode(context.WithoutCancel(ctx), 1) })
	defer stop()
	err = open(in, file, work)
	if err != nil && ctx.Err() != nil {
		return stopped(ctx)
	}
	return err
}

func stopped(ctx context.Context) error {
	return fmt.Errorf("%w: the page takes too long to draw: %w", pdf.ErrLimit, ctx.Err())
}

// module is the sandbox of an instance. Its owner keeps it in a type that cannot
// be named outside, and its own Kill writes without a lock what the working
// goroutine reads, so the one safe way to stop an instance is the module's.
func module(in pdfium.Pdfium) (api.Module, error) {
	v := reflect.Indirect(reflect.ValueOf(in.GetImplementation()))
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName("Module"); f.IsValid() && f.CanInterface() {
			if m, ok := f.Interface().(api.Module); ok {
				return m, nil
			}
		}
	}
	return nil, errors.New("pdfview: the engine cannot be stopped: refusing to start it")
}

func open(in pdfium.Pdfium, file []byte, work func(document) error) error {
	got, err := in.OpenDocument(&requests.OpenDocument{File: &file})
	if err != nil {
		return broken(err)
	}
	n, err := in.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: got.Document})
	if err != nil {
		return broken(err)
	}
	return work(document{in, got.Document, n.PageCount})
}

// page names a page, from 1.
func (d document) page(n int) (requests.Page, error) {
	if n < 1 || n > d.pages {
		return requests.Page{}, fmt.Errorf("%w: no page %d of %d", pdf.ErrFormat, n, d.pages)
	}
	return requests.Page{ByIndex: &requests.PageByIndex{Document: d.ref, Index: n - 1}}, nil
}
