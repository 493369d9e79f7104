package main

// rows are the table's lines, in its order.
var rows = append([]Row{
	entryRow,
	startRow,
	sizeRow,
	formatsRow,
	loaderRow,
	buildISORow,
	memoryRow("memory-hello", "hello boots and finishes", "samples/hello", 6<<10),
	memoryRow("memory-http", "a net/http server over a pipe serves 200 requests", "ci/bench/guest/pipehttp", 12<<10),
	idleRow("idle", "no timer pending", "ci/bench/guest/idle", 0),
	idleRow("idle-ticker", "one 1 s ticker", "ci/bench/guest/ticker", 20_000),
	sleepRow,
	speedupRow,
	goroutinesRow,
	strideRow,
	edfRow,
	isolateRow,
	faultsRow,
	bindingRow,
	balloonRow,
	buildRow,
	hostedRow,
}, append(netRows(), fsRows()...)...)
