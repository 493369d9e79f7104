package main

import (
	"database/sql"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
)

// speed does to SQLite what its makers' speedtest1 is about, with n rows: inserts in and out of order, indices, ranges, text that is looked through, joins, changes and removals of many
// and of single rows. It says what each part came to, which is the same on every system.
func speed(dir string, n int) {
	for _, journal := range []string{"delete", "wal"} {
		speedOf(open(filepath.Join(dir, "speed-"+journal+".sqlite"), journal), journal, n)
	}
}

func speedOf(db *sql.DB, journal string, n int) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	exec := func(query string, args ...any) { have(db.Exec(query, args...)) }
	many := func(times int, query string, args func(i int) []any) { // in one transaction
		tx := have(db.Begin())
		s := have(tx.Prepare(query))
		for i := range times {
			have(s.Exec(args(i)...))
		}
		must(tx.Commit())
	}
	part := 0
	tell := func(query string, args ...any) { // a sum of all rows
		rows := have(db.Query(query, args...))
		columns := have(rows.Columns())
		h, count := fnv.New64a(), 0
		for rows.Next() {
			v := make([]any, len(columns))
			for i := range v {
				v[i] = new(sql.NullString)
			}
			must(rows.Scan(v...))
			for _, x := range v {
				fmt.Fprintf(h, "%q;", x.(*sql.NullString).String)
			}
			count++
		}
		must(rows.Err())
		must(rows.Close())
		part++
		fmt.Printf("speed %s %d: %d rows, %x\n", journal, part, count, h.Sum64())
	}
	order := r.Perm(n)
	exec("create table a (x integer, y integer, t text); create table b (x integer primary key, y integer, t text); create table c (x integer, y integer, t text); create index cy on c(y); create index ct on c(t)")
	for _, table := range []string{"a", "b", "c"} {
		many(n, "insert into "+table+" values (?, ?, ?)", func(i int) []any { return []any{order[i], r.IntN(n), value(uint64(order[i] % 100))} })
	}
	for range 20 {
		lo := r.IntN(n)
		for _, table := range []string{"a", "c"} {
			tell("select count(*), avg(y), sum(length(t)) from "+table+" where y between ? and ?", lo, lo+n/10)
		}
		tell("select count(*), avg(y) from a where t like ?", fmt.Sprintf("%%%d %d%%", lo%100, lo%100))
	}
	tell("select x, y from a order by y, x limit 100")
	tell("select t, count(*) from c group by t order by t")
	exec("create index ax on a(x, y); create unique index bt on b(t, x)")
	many(n, "update a set y = y * 3 % ? where x = ?", func(i int) []any { return []any{n, order[i]} })
	for range 20 {
		lo := r.IntN(n)
		exec("update b set y = y + 1, t = t || 'more' where x between ? and ?", lo, lo+n/20)
		exec("delete from c where y = ?", lo) // each a transaction
	}
	tell("select a.x, b.y, c.t from a join b on a.x = b.x join c on b.x = c.x where a.y < ? order by 1, 2, 3", n/2)
	exec("create table d as select * from a where x % 3 = 0; insert into d select x, y, upper(t) from b where x % 3 = 1; alter table d add column z integer default 7")
	tell("select sum(z), count(distinct t), max(length(t)) from d")
	tell("with recursive f(k) as (select 1 union all select k + 1 from f where k < 200) select k, (select count(*) from d where d.y < k * ?) from f", n/200)
	many(n/2, "delete from b where x = ?", func(i int) []any { return []any{order[i]} })
	tx := have(db.Begin())
	have(tx.Exec("delete from a; drop table d"))
	must(tx.Rollback())
	exec("vacuum; analyze; reindex")
	for _, table := range []string{"a", "b", "c", "d"} {
		tell("select * from " + table + " order by 1, 2, 3")
	}
	tell("pragma integrity_check")
	must(db.Close())
}
