// Command databases is what the row of databases runs: the one that PHASE in the environment names, in the folder /data. It is a module of its own, for what it needs.
//
// It stays when it is done, so that the machine's requests can be counted.
package main

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"
)

const (
	root         = "/data/"
	boltCommits  = 1000
	sqlCommits   = 100
	sqlPerCommit = 100
	patience     = time.Hour
)

func main() {
	began := time.Now()
	switch p := os.Getenv("PHASE"); p {
	case "bolt":
		began = bolt()
	case "delete", "wal":
		began = sqlite(p)
	default:
		fmt.Fprintln(os.Stderr, "databases: PHASE names no database:", p)
		os.Exit(2)
	}
	fmt.Printf("RESULT %s %.3f ms\n", os.Getenv("PHASE"), float64(time.Since(began).Microseconds())/1e3)
	fmt.Println("done")
	time.Sleep(patience)
}

func have[T any](v T, err error) T {
	must(err)
	return v
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "databases:", err)
		os.Exit(1)
	}
}

// value is what a key has.
var value = strings.Repeat("value ", 20)

// bolt puts one key in each transaction, which bbolt syncs twice. It returns when the first began.
func bolt() time.Time {
	db := have(bbolt.Open(root+"bolt", 0o600, nil))
	name := []byte("bucket")
	must(db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(name)
		return err
	}))
	began := time.Now()
	for i := range boltCommits {
		must(db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(name).Put(binary.BigEndian.AppendUint64(nil, uint64(i)), []byte(value))
		}))
	}
	return began
}

// sqlite inserts rows, so many in a transaction, with the synchronous setting that SQLite has by itself: full.
func sqlite(journal string) time.Time {
	db := have(sql.Open("sqlite", "file:"+root+"sqlite?_pragma=journal_mode("+journal+")&_txlock=immediate"))
	db.SetMaxOpenConns(1)
	have(db.Exec("create table t (id integer primary key, x integer, v text)"))
	began := time.Now()
	for i := range sqlCommits {
		tx := have(db.Begin())
		insert := have(tx.Prepare("insert into t values (?, ?, ?)"))
		for k := range sqlPerCommit {
			have(insert.Exec(i*sqlPerCommit+k, k, value))
		}
		must(tx.Commit())
	}
	return began
}
