// Starts the linter before the editor is loaded: both take their time side by side.

import "./linter.js";
