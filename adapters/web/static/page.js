// Puts the parts of the page together.

import { startComposer } from "./composer.js";
import { startFiles } from "./files.js";
import { startMenu } from "./menu.js";
import { startMessages } from "./messages.js";
import { startPresses } from "./presses.js";
import { startSettings } from "./settings.js";
import { startStream } from "./stream.js";
import { startViewer } from "./viewer.js";

startSettings();
startMessages();
startComposer();
startMenu();
startFiles();
startPresses();
startViewer();
startStream();
