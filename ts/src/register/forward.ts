import { existsSync } from 'node:fs';
import type { OtlpConfig } from '../keys.js';

const ENDPOINTS = ['', 'TRACES_', 'METRICS_', 'LOGS_'].map(signal => `OTEL_EXPORTER_OTLP_${signal}ENDPOINT`);

/**
 * A program whose stock exporters were told an endpoint goes on reaching it: what is recorded is forwarded there too.
 *
 * Whoever configures forwarding, or any file, in otlp-arrow's own terms is left alone.
 */
export function destination(environment: NodeJS.ProcessEnv): OtlpConfig {
  const told = ENDPOINTS.some(name => (environment[name] ?? '').trim() !== '');
  // Kubernetes makes OTLP_ARROW_FORWARDER_SERVICE_HOST of a service: only our own names count.
  const own = Object.entries(environment).some(
    ([name, value]) => value && /^OTLP_ARROW_(?:CONFIG|FORWARD(?:__.*)?)$/.test(name),
  );
  return told && !own && !existsSync('otlp-arrow.yaml') ? { forward: 'env' } : {};
}
