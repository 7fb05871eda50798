export { SIGNALS, type Signal } from './signal.js';
