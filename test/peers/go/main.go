// Sends a known set of spans, metrics and logs with the official OpenTelemetry Go SDK and its OTLP exporters.
// test/scripts/peers.ts knows the same set and compares what was kept with it.
//
//	peers -grpc 127.0.0.1:4317 -http 127.0.0.1:4318
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// way is one exporter of each signal: a protocol, compressed or not.
type way struct {
	name   string
	span   trace.SpanExporter
	metric metric.Exporter
	log    sdklog.Exporter
}

func overGRPC(ctx context.Context, name, address string, gzip bool) (way, error) {
	spans := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure()}
	metrics := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(address), otlpmetricgrpc.WithInsecure()}
	logs := []otlploggrpc.Option{otlploggrpc.WithEndpoint(address), otlploggrpc.WithInsecure()}
	if gzip {
		spans = append(spans, otlptracegrpc.WithCompressor("gzip"))
		metrics = append(metrics, otlpmetricgrpc.WithCompressor("gzip"))
		logs = append(logs, otlploggrpc.WithCompressor("gzip"))
	}
	span, err1 := otlptrace.New(ctx, otlptracegrpc.NewClient(spans...))
	metric, err2 := otlpmetricgrpc.New(ctx, metrics...)
	log, err3 := otlploggrpc.New(ctx, logs...)
	return way{name, span, metric, log}, errors.Join(err1, err2, err3)
}

func overHTTP(ctx context.Context, name, address string, gzip bool) (way, error) {
	spans := []otlptracehttp.Option{otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure()}
	metrics := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpoint(address), otlpmetrichttp.WithInsecure()}
	logs := []otlploghttp.Option{otlploghttp.WithEndpoint(address), otlploghttp.WithInsecure()}
	if gzip {
		spans = append(spans, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		metrics = append(metrics, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
		logs = append(logs, otlploghttp.WithCompression(otlploghttp.GzipCompression))
	}
	span, err1 := otlptrace.New(ctx, otlptracehttp.NewClient(spans...))
	metric, err2 := otlpmetrichttp.New(ctx, metrics...)
	log, err3 := otlploghttp.New(ctx, logs...)
	return way{name, span, metric, log}, errors.Join(err1, err2, err3)
}

// send sends the whole set one way; an error of any export is returned.
func send(ctx context.Context, way way) error {
	// A resource of the given attributes alone: what a detector adds differs from machine to machine.
	resource := resource.NewWithAttributes("https://opentelemetry.io/schemas/1.30.0",
		attribute.String("service.name", "peer "+way.name), attribute.Int("process.pid", 42),
		attribute.StringSlice("tags", []string{"a", "b"}))

	tracers := trace.NewTracerProvider(trace.WithResource(resource), trace.WithBatcher(way.span))
	sendSpans(ctx, tracers)
	meters := metric.NewMeterProvider(metric.WithResource(resource), metric.WithView(exponential()),
		metric.WithReader(metric.NewPeriodicReader(way.metric, metric.WithInterval(time.Hour))))
	if err := sendMetrics(ctx, meters); err != nil {
		return err
	}
	loggers := sdklog.NewLoggerProvider(sdklog.WithResource(resource), sdklog.WithProcessor(sdklog.NewBatchProcessor(way.log)))
	sendLogs(ctx, loggers)
	return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx), loggers.Shutdown(ctx))
}

func main() {
	grpc := flag.String("grpc", "127.0.0.1:4317", "host and port for OTLP/gRPC")
	http := flag.String("http", "127.0.0.1:4318", "host and port for OTLP/HTTP")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Fatal(err) }))
	for _, gzip := range []bool{false, true} {
		suffix := map[bool]string{false: "", true: " gzip"}[gzip]
		for protocol, address := range map[string]string{"grpc": *grpc, "http": *http} {
			open := map[string]func(context.Context, string, string, bool) (way, error){"grpc": overGRPC, "http": overHTTP}[protocol]
			way, err := open(ctx, protocol+suffix, address, gzip)
			if err == nil {
				err = send(ctx, way)
			}
			if err != nil {
				log.Fatalf("%s: %v", protocol+suffix, err)
			}
			fmt.Println("sent", way.name)
		}
	}
}
