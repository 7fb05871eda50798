/** The dashboard: begins here. */
import { render } from 'preact';
import { isAsking } from './api.js';
import { Frame } from './frame/frame.js';
import { listenToKeys } from './state/keys.js';
import { keepLive } from './state/range.js';
import { applied } from './state/theme.js';
import { follow } from './state/url.js';
import './style/theme.css';
import './style/frame.css';
import './style/parts.css';
import './style/pages.css';
import './style/records.css';
import './style/more.css';

applied();
follow();
listenToKeys();
keepLive(isAsking);
render(<Frame />, document.getElementById('app')!);
