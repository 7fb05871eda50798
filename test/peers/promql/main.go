// Answers questions by the engine of Prometheus: cases as JSON on standard input, one answer each on standard output.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// A case: a query at a moment, over these series.
type Case struct {
	Query string `json:"query"`
	// Milliseconds.
	At int64 `json:"at"`
	// Whether starts of points count.
	Starts bool     `json:"starts"`
	Series []Series `json:"series"`
}

type Series struct {
	Labels map[string]string `json:"labels"`
	Points []Point           `json:"points"`
}

// A point: a value or a histogram. Its start is 0 where it is not known.
type Point struct {
	Time      int64      `json:"time"`
	Start     int64      `json:"start"`
	Value     float64    `json:"value"`
	Histogram *Histogram `json:"histogram"`
}

// An exponential histogram as OTLP has it.
type Histogram struct {
	Scale         int32   `json:"scale"`
	ZeroCount     float64 `json:"zero_count"`
	ZeroThreshold float64 `json:"zero_threshold"`
	Count         float64 `json:"count"`
	Sum           float64 `json:"sum"`
	Positive      Buckets `json:"positive"`
	Negative      Buckets `json:"negative"`
}

type Buckets struct {
	Offset int32     `json:"offset"`
	Counts []float64 `json:"counts"`
}

// A bucket of OTLP begins where its index says, one of Prometheus ends there.
func (b Buckets) spans() []histogram.Span {
	if len(b.Counts) == 0 {
		return nil
	}
	return []histogram.Span{{Offset: b.Offset + 1, Length: uint32(len(b.Counts))}}
}

type sample struct{ Point }

func (s sample) T() int64                { return s.Time }
func (s sample) ST() int64               { return s.Start }
func (s sample) F() float64              { return s.Value }
func (s sample) H() *histogram.Histogram { return nil }
func (s sample) Copy() chunks.Sample     { return s }

func (s sample) FH() *histogram.FloatHistogram {
	h := s.Histogram
	return &histogram.FloatHistogram{
		Schema:          h.Scale,
		ZeroThreshold:   h.ZeroThreshold,
		ZeroCount:       h.ZeroCount,
		Count:           h.Count,
		Sum:             h.Sum,
		PositiveSpans:   h.Positive.spans(),
		PositiveBuckets: append([]float64(nil), h.Positive.Counts...),
		NegativeSpans:   h.Negative.spans(),
		NegativeBuckets: append([]float64(nil), h.Negative.Counts...),
	}
}

func (s sample) Type() chunkenc.ValueType {
	if s.Histogram != nil {
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

// The series of a case, as a storage has them.
func queryable(all []Series) storage.Queryable {
	selected := func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		var found []storage.Series
	next:
		for _, series := range all {
			lset := labels.FromMap(series.Labels)
			for _, matcher := range matchers {
				if !matcher.Matches(lset.Get(matcher.Name)) {
					continue next
				}
			}
			samples := make([]chunks.Sample, len(series.Points))
			for i, point := range series.Points {
				samples[i] = sample{point}
			}
			found = append(found, storage.NewListSeries(lset, samples))
		}
		return &set{series: found, at: -1}
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: selected}}
}

type set struct {
	storage.SeriesSet
	series []storage.Series
	at     int
}

func (s *set) Next() bool {
	s.at++
	return s.at < len(s.series)
}

func (s *set) At() storage.Series                { return s.series[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// The one value of a query: a number as text, for JSON has no infinity; "nothing" without one.
func answer(engine *promql.Engine, c Case) (string, error) {
	ctx := context.Background()
	query, err := engine.NewInstantQuery(ctx, queryable(c.Series), nil, c.Query, time.UnixMilli(c.At))
	if err != nil {
		return "", err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return "", result.Err
	}
	vector, err := result.Vector()
	if err != nil {
		return "", err
	}
	switch len(vector) {
	case 0:
		return "nothing", nil
	case 1:
		return strconv.FormatFloat(vector[0].F, 'g', -1, 64), nil
	default:
		return "", fmt.Errorf("%s has %d values", c.Query, len(vector))
	}
}

func main() {
	options := promql.EngineOpts{
		MaxSamples:    1 << 24,
		Timeout:       time.Minute,
		LookbackDelta: 5 * time.Minute,
		Parser:        parser.NewParser(parser.Options{}),
	}
	plain := promql.NewEngine(options)
	options.UseStartTimestamps = true
	starts := promql.NewEngine(options)
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder.More() {
		var c Case
		if err := decoder.Decode(&c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		engine := plain
		if c.Starts {
			engine = starts
		}
		value, err := answer(engine, c)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", c.Query, err)
			os.Exit(1)
		}
		if err := encoder.Encode(value); err != nil {
			os.Exit(1)
		}
	}
}
