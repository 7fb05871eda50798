'use strict';

/** Nothing: webpack would warn of each package that is not installed. The addon is found at run time. */
module.exports = function addon() {
  return undefined;
};
