package main

import (
	"context"
	"errors"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// at is a fixed moment, so many nanoseconds after it.
func at(nanoseconds int64) time.Time { return time.Unix(1_700_000_000, nanoseconds) }

// attributes are of every type the SDK has, and of the values that are easily lost.
func attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("text", "grüße ☃"), attribute.String("empty", ""), attribute.Bool("yes", true), attribute.Bool("no", false),
		attribute.Int64("int", 42), attribute.Int64("min", math.MinInt64), attribute.Int64("max", math.MaxInt64),
		attribute.Float64("double", 0.1), attribute.Float64("whole", 3), attribute.Float64("infinite", math.Inf(-1)),
		attribute.StringSlice("texts", []string{"a", ""}), attribute.BoolSlice("bools", []bool{true, false}),
		attribute.Int64Slice("ints", []int64{-1, math.MaxInt64}), attribute.Float64Slice("doubles", []float64{1.5, 2}),
		attribute.ByteSlice("bytes", []byte{0, 255}),
		attribute.Map("map", attribute.Int("k", 1), attribute.Map("in", attribute.Bool("b", true))),
		attribute.Slice("mixed", attribute.IntValue(1), attribute.StringValue("x"), attribute.Float64Value(2)),
	}
}

func scope() trace.TracerOption {
	return trace.WithInstrumentationAttributes(attribute.String("scope.kind", "peer"), attribute.Int("scope.number", 7))
}

func sendSpans(ctx context.Context, provider *sdktrace.TracerProvider) {
	tracer := provider.Tracer("peer/tracer", trace.WithInstrumentationVersion("1.2.3"), trace.WithSchemaURL("https://opentelemetry.io/schemas/1.29.0"), scope())
	state, err := trace.ParseTraceState("vendor=one,other=2")
	if err != nil {
		panic(err)
	}
	remote := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
	})
	ctx = trace.ContextWithSpanContext(ctx, remote)
	link := trace.Link{SpanContext: remote, Attributes: []attribute.KeyValue{attribute.String("link", "yes")}}

	parent, span := tracer.Start(ctx, "server", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at(1)), trace.WithLinks(link), trace.WithAttributes(attributes()...))
	_, child := tracer.Start(parent, "client", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at(2)))
	child.AddEvent("first", trace.WithTimestamp(at(3)), trace.WithAttributes(attribute.Int("n", 1)))
	child.AddEvent("second", trace.WithTimestamp(at(4)))
	child.SetStatus(codes.Error, "it broke")
	child.End(trace.WithTimestamp(at(5)))
	span.SetStatus(codes.Ok, "")
	span.End(trace.WithTimestamp(at(999_999_999)))
}

// exponential makes one histogram an exponential one.
func exponential() sdkmetric.View {
	return sdkmetric.NewView(sdkmetric.Instrument{Name: "exponential"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 20, MaxScale: 3}})
}

func sendMetrics(ctx context.Context, provider *sdkmetric.MeterProvider) error {
	meter := provider.Meter("peer/meter", metric.WithInstrumentationVersion("4.5.6"))
	with := metric.WithAttributes(attribute.String("route", "/a"), attribute.Bool("ok", true))
	counter, err1 := meter.Int64Counter("counter", metric.WithUnit("{request}"), metric.WithDescription("how many"))
	upDown, err2 := meter.Float64UpDownCounter("updown")
	gauge, err3 := meter.Int64Gauge("gauge", metric.WithUnit("By"))
	histogram, err4 := meter.Float64Histogram("histogram", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(1, 2.5, 10))
	exponential, err5 := meter.Float64Histogram("exponential")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	counter.Add(ctx, 40, with)
	counter.Add(ctx, 2, with)
	counter.Add(ctx, 5, metric.WithAttributes(attribute.String("route", "/b")))
	upDown.Add(ctx, 1.5, with)
	upDown.Add(ctx, -4, with)
	gauge.Record(ctx, -7, with)
	for _, value := range []float64{0.5, 1, 2, 3, 100} {
		histogram.Record(ctx, value, with)
	}
	for _, value := range []float64{0, 1, 1.5, 4, -2} {
		exponential.Record(ctx, value, with)
	}
	return nil
}

func sendLogs(ctx context.Context, provider *sdklog.LoggerProvider) {
	logger := provider.Logger("peer/logger", otellog.WithInstrumentationVersion("7.8.9"))
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 3}, SpanID: trace.SpanID{7: 4}, TraceFlags: trace.FlagsSampled,
	}))
	var full otellog.Record
	full.SetTimestamp(at(10))
	full.SetObservedTimestamp(at(11))
	full.SetSeverity(otellog.SeverityError2)
	full.SetSeverityText("ERROR2")
	full.SetEventName("peer.event")
	full.SetBody(attribute.MapValue(attribute.String("message", "hello"), attribute.ByteSlice("raw", []byte{1, 2, 3}),
		attribute.Slice("list", attribute.IntValue(1), attribute.BoolValue(false))))
	full.AddAttributes(attributes()...)
	logger.Emit(ctx, full)

	var plain otellog.Record
	plain.SetObservedTimestamp(at(12))
	plain.SetSeverity(otellog.SeverityInfo)
	plain.SetBody(attribute.StringValue("plain"))
	logger.Emit(context.Background(), plain)
}
