//go:build js && wasm

// The IndexedDB storage. One database per cluster with two object stores:
// "records" (key → sealed bytes) and "quarantine" (what could not be read,
// kept as it was). A batch is one transaction: all of it or nothing. Every wait
// has a deadline, because waiting for a transaction that has committed already
// never ends.

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall/js"
	"time"

	"github.com/hack-pad/go-indexeddb/idb"

	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
	"github.com/kubonsai/kubonsai/wasm/internal/record"
)

// deadline bounds every wait for a storage.
const deadline = 15 * time.Second

const (
	idbVersion    = 1
	recordStore   = "records"
	setAsideStore = "quarantine"
)

type idbBackend struct {
	db *idb.Database
}

func openIDB(name string) (*idbBackend, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	request, err := idb.Global().Open(ctx, "kubonsai:"+name, idbVersion, func(db *idb.Database, oldVersion, newVersion uint) error {
		if _, err := db.CreateObjectStore(recordStore, idb.ObjectStoreOptions{}); err != nil {
			return err
		}
		_, err := db.CreateObjectStore(setAsideStore, idb.ObjectStoreOptions{AutoIncrement: true})
		return err
	})
	if err != nil {
		return nil, explain("open", err)
	}
	db, err := request.Await(ctx)
	if err != nil {
		return nil, explain("open", err)
	}
	return &idbBackend{db: db}, nil
}

// explain turns a browser's error into one that says what to do.
func explain(what string, err error) error {
	text := err.Error()
	switch {
	case errors.Is(err, idb.NewDOMException("QuotaExceededError")) || strings.Contains(text, "QuotaExceeded"):
		return fmt.Errorf("the browser has no room left for this site, so the latest changes are not saved: free some space (or press Reset); saving is tried again: %w", err)
	case errors.Is(err, idb.NewDOMException("VersionError")):
		return fmt.Errorf("the saved cluster belongs to a newer version of this page: reload the page: %w", err)
	case errors.Is(err, idb.NewDOMException("InvalidStateError")) || errors.Is(err, idb.NewDOMException("UnknownError")):
		return fmt.Errorf("the browser's storage is not available (a private window, or the site's data was cleared while the page was open): reload the page: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the browser's storage did not answer within %v (%s)", deadline, what)
	}
	return fmt.Errorf("storage: %s: %w", what, err)
}

// rows reads everything, as it is stored.
func (b *idbBackend) rows(ctx context.Context) ([]record.Row, error) {
	txn, err := b.db.Transaction(idb.TransactionReadOnly, recordStore)
	if err != nil {
		return nil, explain("load", err)
	}
	records, err := txn.ObjectStore(recordStore)
	if err != nil {
		return nil, explain("load", err)
	}
	keysRequest, err := records.GetAllKeys()
	if err != nil {
		return nil, explain("load", err)
	}
	keys, err := keysRequest.Await(ctx)
	if err != nil {
		return nil, explain("load", err)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	// All gets are sent before the first is awaited: the transaction stays
	// alive, and the answers come in order.
	requests := make([]*idb.Request, len(keys))
	for i, k := range keys {
		if requests[i], err = records.Get(k); err != nil {
			return nil, explain("load", err)
		}
	}
	// The last answer means that all are there; waiting for each would only
	// cost a callback apiece.
	if _, err := requests[len(requests)-1].Await(ctx); err != nil {
		return nil, explain("load", err)
	}
	rows := make([]record.Row, 0, len(keys))
	for i, r := range requests {
		v, err := r.Result()
		if err != nil {
			return nil, explain("load", err)
		}
		var value []byte
		if v.Type() == js.TypeObject && v.InstanceOf(js.Global().Get("Uint8Array")) {
			value = jsvalue.Bytes(v)
		}
		rows = append(rows, record.Row{Key: keys[i].String(), Value: value})
	}
	return rows, nil
}

func (b *idbBackend) Load() ([]store.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	rows, err := b.rows(ctx)
	if err != nil {
		return nil, err
	}
	good, bad := record.Unseal(rows)
	if len(bad) == 0 {
		return good, nil
	}
	if good == nil {
		good = []store.Record{} // something was read: there is nothing good in it
	}
	if err := b.setAside(ctx, bad); err != nil {
		return good, errors.Join(record.Damaged(bad), err)
	}
	return good, record.Damaged(bad)
}

// SetAside implements storage.
func (b *idbBackend) SetAside(reason string) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	rows, err := b.rows(ctx)
	if err != nil {
		return err
	}
	var bad []record.Bad
	for _, r := range rows {
		bad = append(bad, record.Bad{Row: r, Reason: reason})
	}
	return b.setAside(ctx, bad)
}

// setAside moves rows to the quarantine, in one transaction.
func (b *idbBackend) setAside(ctx context.Context, bad []record.Bad) error {
	txn, err := b.db.Transaction(idb.TransactionReadWrite, recordStore, setAsideStore)
	if err != nil {
		return explain("set aside", err)
	}
	records, err := txn.ObjectStore(recordStore)
	if err != nil {
		return explain("set aside", err)
	}
	aside, err := txn.ObjectStore(setAsideStore)
	if err != nil {
		return explain("set aside", err)
	}
	for _, r := range bad {
		entry := js.Global().Get("Object").New()
		entry.Set("key", r.Key)
		entry.Set("reason", r.Reason)
		entry.Set("value", jsvalue.Array(r.Value))
		if _, err := aside.Add(entry); err != nil {
			return explain("set aside", err)
		}
		if _, err := records.Delete(js.ValueOf(r.Key)); err != nil {
			return explain("set aside", err)
		}
	}
	return b.finish(ctx, "set aside", txn)
}

func (b *idbBackend) Append(batch []store.Record) error {
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	txn, err := b.db.Transaction(idb.TransactionReadWrite, recordStore)
	if err != nil {
		return explain("save", err)
	}
	records, err := txn.ObjectStore(recordStore)
	if err != nil {
		return explain("save", err)
	}
	for _, r := range batch {
		key := js.ValueOf(r.Key)
		if r.Value == nil {
			_, err = records.Delete(key)
		} else {
			_, err = records.PutKey(key, jsvalue.Array(record.Seal(r.Key, r.Value)))
		}
		if err != nil {
			_ = txn.Abort()
			return explain("save", err)
		}
	}
	return b.finish(ctx, "save", txn)
}

func (b *idbBackend) finish(ctx context.Context, what string, txn *idb.Transaction) error {
	if err := txn.Await(ctx); err != nil {
		return explain(what, err)
	}
	return nil
}

func (b *idbBackend) Clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	txn, err := b.db.Transaction(idb.TransactionReadWrite, recordStore)
	if err != nil {
		return explain("clear", err)
	}
	records, err := txn.ObjectStore(recordStore)
	if err != nil {
		return explain("clear", err)
	}
	if _, err := records.Clear(); err != nil {
		return explain("clear", err)
	}
	return b.finish(ctx, "clear", txn)
}

func (b *idbBackend) Close() error {
	if err := b.db.Close(); err != nil {
		return explain("close", err)
	}
	return nil
}
