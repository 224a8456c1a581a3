// @ts-check
// What the page says of kernels, in the language of the moment.

import { language } from "./strings.js";
import { en } from "./strings/kernels-en.js";
import { es } from "./strings/kernels-es.js";

export const KERNEL_WORDS = { en, es };

export const kernelWords = () => KERNEL_WORDS[language()];
