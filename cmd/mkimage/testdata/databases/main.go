// Command databases drives bbolt and SQLite, which map files, lock them and trust fsync.
//
//	databases load FOLDER          does what programs do with them, and checks that it comes out right
//	databases speed ROWS FOLDER    does much of all kinds to SQLite, and says what came of it
//	databases bolt FOLDER          writes for ever, and says which number is durable
//	databases sqlite JOURNAL FOLDER    the same; JOURNAL is wal or delete
package main

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func have[T any](v T, err error) T {
	must(err)
	return v
}

func main() {
	dir := os.Args[len(os.Args)-1]
	switch os.Args[1] {
	case "load":
		loadBolt(filepath.Join(dir, "load.bolt"))
		for _, journal := range []string{"wal", "delete"} {
			loadSQLite(filepath.Join(dir, journal+".sqlite"), journal)
		}
		fmt.Println("all is well")
	case "speed":
		speed(dir, have(strconv.Atoi(os.Args[2])))
		fmt.Println("all is well")
	case "bolt":
		writeBolt(filepath.Join(dir, "kill.bolt"))
	case "sqlite":
		writeSQLite(filepath.Join(dir, "kill-"+os.Args[2]+".sqlite"), os.Args[2])
	}
}

// value is what is kept under a number: of another length for each.
func value(n uint64) string { return strings.Repeat(fmt.Sprintf("%d ", n), 1+int(n*7%300)) }

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

var bucket = []byte("numbers")

// loadBolt writes and removes in transactions, some of which are given up, while others read.
func loadBolt(name string) {
	db := have(bbolt.Open(name, 0o600, nil))
	want := map[uint64]bool{}
	r := rand.New(rand.NewPCG(1, 1))
	var readers sync.WaitGroup
	for range 40 {
		tx := have(db.Begin(true))
		b := have(tx.CreateBucketIfNotExists(bucket))
		next := map[uint64]bool{}
		for n := range want {
			next[n] = true
		}
		for range 40 {
			n := r.Uint64N(500)
			if next[n] {
				must(b.Delete(key(n)))
				delete(next, n)
			} else {
				must(b.Put(key(n), []byte(value(n))))
				next[n] = true
			}
		}
		if r.IntN(5) == 0 {
			must(tx.Rollback())
			continue
		}
		must(tx.Commit())
		want = next
		readers.Go(func() {
			must(db.View(func(tx *bbolt.Tx) error {
				return tx.Bucket(bucket).ForEach(func(k, v []byte) error {
					if n := binary.BigEndian.Uint64(k); string(v) != value(n) {
						return fmt.Errorf("%d is %q", n, v)
					}
					return nil
				})
			}))
		})
	}
	readers.Wait()
	must(db.Close())
	if _, err := bbolt.Open(have(os.MkdirTemp("", "")), 0o600, nil); err == nil {
		panic("a folder is no database")
	}
	db = have(bbolt.Open(name, 0o600, &bbolt.Options{ReadOnly: true}))
	if _, err := bbolt.Open(name, 0o600, &bbolt.Options{Timeout: 50 * time.Millisecond}); err != bbolt.ErrTimeout {
		panic(fmt.Sprint("a second writer got in: ", err))
	}
	must(db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			must(err)
		}
		if n := tx.Bucket(bucket).Stats().KeyN; n != len(want) {
			panic(fmt.Sprint(n, " keys, not ", len(want)))
		}
		return nil
	}))
	must(db.Close())
}

// open opens a database whose commits are durable: without "extra" the removal of a rollback journal, which is the commit, is not synced.
func open(name, journal string) *sql.DB {
	return have(sql.Open("sqlite", "file:"+name+"?_pragma=busy_timeout(10000)&_pragma=journal_mode("+journal+")&_pragma=synchronous(extra)&_txlock=immediate"))
}

func number(db *sql.DB, query string, args ...any) (n int64) {
	must(db.QueryRow(query, args...).Scan(&n))
	return n
}

// loadSQLite inserts, updates, joins and removes, from several connections.
func loadSQLite(name, journal string) {
	db := open(name, journal)
	exec := func(query string, args ...any) { have(db.Exec(query, args...)) }
	exec("create table a (id integer primary key, x int, t text); create table b (id integer primary key, a int references a(id)); create index ax on a(x)")
	for i := range 10 {
		tx := have(db.Begin())
		for j := range 100 {
			n := i*100 + j
			have(tx.Exec("insert into a values (?, ?, ?)", n, n*7919%1000, value(uint64(n))))
			have(tx.Exec("insert into b values (?, ?)", n, n*31%1000))
		}
		if i == 5 {
			must(tx.Rollback())
			continue
		}
		must(tx.Commit())
	}
	var at sync.WaitGroup
	for i := range 4 {
		at.Go(func() {
			for j := range 5 {
				have(db.Exec("update a set x = x + 1000 where id % 20 = ?", i*5+j))
				number(db, "select count(*) from a where x >= 1000")
			}
		})
	}
	at.Wait()
	if n := number(db, "select count(*) from a where x >= 1000"); n != 900 {
		panic(n)
	}
	joined := 0
	for n := range 1000 {
		if n/100 != 5 && n*31%1000/100 != 5 {
			joined++
		}
	}
	if n := number(db, "select count(*) from b join a on b.a = a.id"); n != int64(joined) {
		panic(n)
	}
	exec("delete from a where id >= 800; vacuum")
	must(db.Close())
	db = open(name, journal)
	var text string
	must(db.QueryRow("pragma integrity_check").Scan(&text))
	if n := number(db, "select count(*) from a where length(t) > 0"); n != 700 || text != "ok" {
		panic(fmt.Sprint(n, text))
	}
	for i := range 800 {
		if i/100 != 5 {
			must(db.QueryRow("select t from a where id = ?", i).Scan(&text))
			if text != value(uint64(i)) {
				panic(text)
			}
		}
	}
	must(db.Close())
}

// keep is how many numbers are there at a time.
const keep = 50

func writeBolt(name string) {
	db := have(bbolt.Open(name, 0o600, nil))
	last := int64(-1)
	must(db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		must(err)
		for err := range tx.Check() {
			must(err)
		}
		return b.ForEach(func(k, v []byte) error {
			n := int64(binary.BigEndian.Uint64(k))
			if string(v) != value(uint64(n)) || last >= 0 && n != last+1 {
				panic(fmt.Sprintf("%d behind %d is %q", n, last, v))
			}
			last = n
			return nil
		})
	}))
	fmt.Println("found", last, last)
	for n := uint64(last + 1); ; n++ {
		must(db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket)
			if n >= keep {
				must(b.Delete(key(n - keep)))
			}
			return b.Put(key(n), []byte(value(n)))
		}))
		fmt.Println("durable", n)
	}
}

func writeSQLite(name, journal string) {
	db := open(name, journal)
	have(db.Exec("create table if not exists a (n integer primary key, t text)"))
	var text string
	must(db.QueryRow("pragma integrity_check").Scan(&text))
	if text != "ok" {
		panic(text)
	}
	rows := have(db.Query("select n, t from a order by n"))
	last := int64(-1)
	for rows.Next() {
		var n int64
		must(rows.Scan(&n, &text))
		if text != value(uint64(n)) || last >= 0 && n != last+1 {
			panic(fmt.Sprintf("%d behind %d is %q", n, last, text))
		}
		last = n
	}
	must(rows.Close())
	fmt.Println("found", last, last)
	for n := last + 1; ; n++ {
		tx := have(db.Begin())
		have(tx.Exec("delete from a where n <= ?", n-keep))
		have(tx.Exec("insert into a values (?, ?)", n, value(uint64(n))))
		must(tx.Commit())
		fmt.Println("durable", n)
	}
}
