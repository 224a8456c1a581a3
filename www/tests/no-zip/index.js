// @ts-check
// In the place of extract-zip, whose last version writes outside of its folder where an archive has links
// that lead there. puppeteer unpacks browsers with it that it has downloaded; these tests have it download
// none.

export default async function extractZip() {
  throw new Error("no browser is unpacked here: name one that is installed, as FIREFOX");
}
