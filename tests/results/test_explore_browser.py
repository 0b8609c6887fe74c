"""The page that explores results, in a real Chromium: what users see, click, type and are told."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from snakemake.report.common import data_uri_from_file
from test_explore_page import shown_bits

import chromium
import explored
import made_up
import made_up_files
from conftest import ROOT
from oddlens.files.artefacts import read_arrays, read_table, write_table
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.row_scores import RowScores, rows_of

IMAGES = 120
OWN = ("mine", "labelled")
SIZES = {"model_a": 32, "model_b": 16, "mine": 128, "labelled": 64}
DIVERGED = {"dcae": ["cdm-0.2/1"], "random": ["none-0/1", "none-0/2"]}
SHOWN = "return performance.getEntriesByName('shown')[0]?.startTime ?? 0"
"""When the page had its first view, in milliseconds; 0 before."""
VIEWS = ["gallery", "gallery&look=row&row=dcae", "pair", "curves", "curves&curve=pr", "curves&curve=contamination"]
VIEWS += ["curves&curve=mass", "tables", "gallery&image=test/cdm/3"]
GO = """
const [state, done] = arguments;
addEventListener("hashchange", () => done(), { once: true });
location.hash = state;
"""
"""Change the state that the address of the page holds."""
AXE = ROOT / "tests/javascript/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The page of a study with simulated images, decoys among them, and the user's own; and its files."""
    folder = tmp_path_factory.mktemp("study")
    made = made_up.study(folder, images=IMAGES, diverged=DIVERGED, decoys=("vortex",))
    made_up_files.add(made, folder, "mine", made_up_files.WITHOUT_LABELS)
    made_up_files.add(made, folder, "labelled", made_up_files.LABELLED)
    outputs = made_up.aggregated(folder, made, own=OWN)
    return explored.page_of(folder, made, outputs, own=OWN, pixels=SIZES, decoys=("vortex",)), made


@pytest.fixture(scope="module")
def scores(study):
    return DatasetScores.read(study[1]["scores"]["model_a"].values(), "smooth")


@pytest.fixture(scope="module")
def browser():
    with chromium.opened() as started:
        yield started


@pytest.fixture
def visit(browser, study):
    """Open the page with a state: `row=good`."""

    def open_page(state="", page=study[0]):
        browser.get("about:blank")
        chromium.requests(browser)
        chromium.complaints(browser)
        browser.get(f"{page.as_uri()}#{state}")
        wait(browser, lambda: browser.execute_script(SHOWN))
        return browser

    yield open_page
    chromium.resize(browser, chromium.WIDE)
    chromium.brightness(browser, "light")


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def find_all(browser, selector):
    return browser.find_elements(By.CSS_SELECTOR, selector)


def texts(browser, selector):
    return [found.text for found in find_all(browser, selector)]


def address(browser):
    """The state in the address."""
    hash_ = browser.execute_script("return location.hash.slice(1)")
    return dict(part.split("=", 1) for part in hash_.split("&") if part)


def wait(browser, condition):
    return WebDriverWait(browser, 30).until(lambda _: condition())


def counted(browser):
    """The numbers of test images above the threshold, by class."""
    return {found.get_attribute("data-above"): found.text for found in find_all(browser, "[data-above]")}


def write(field, text):
    """Replace what is in a field, and leave it."""
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(text), Keys.TAB)


# --- as a whole ------------------------------------------------------------------------------------------------------


def through_views(browser, state=""):
    """Each view of the page that is open, once it is shown."""
    for view in VIEWS:
        wanted = f"view={view}{state}"
        if browser.execute_script("return location.hash.slice(1)") != wanted:
            browser.execute_async_script(GO, wanted)
        wait(browser, find(browser, f"#{view.partition('&')[0]}").is_displayed)
        if view == "tables" and find_all(browser, "#tables .table"):
            wait(browser, lambda: find_all(browser, "#tables .dt-search input"))
        yield view


@pytest.mark.parametrize("dataset", ["model_a", "model_b", *OWN])
def test_no_view_complains_or_asks_for_anything_but_the_page(visit, study, dataset):
    browser = visit(f"data={dataset}")
    for view in through_views(browser, f"&data={dataset}"):
        assert chromium.complaints(browser) == [], view
        assert chromium.requests(browser) <= {study[0].as_uri(), "data", "blob"}, view


def test_it_opens_in_two_seconds_with_ten_thousand_test_images(tmp_path, visit):
    rows = {row: made_up.ROWS[row] for row in ("good", "dcae", "random")}
    small, large = tmp_path / "small", tmp_path / "large"
    outputs = made_up.aggregated(small, made_up.study(small, ("model_a",), rows, images=20), rows)
    made = made_up.study(large, ("model_a",), rows, images=3400)
    page = explored.page_of(large, made, outputs, rows)
    times = []
    for _ in range(3):
        browser = visit("", page)
        assert len(find_all(browser, "#images button")) == 60
        times.append(browser.execute_script(SHOWN))
    assert "of 10200 images" in find(browser, "#where").text
    assert min(times) < 2000


def test_a_narrow_window_is_not_exceeded(visit, browser):
    chromium.resize(browser, chromium.NARROW)
    for view in through_views(visit()):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= chromium.NARROW, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, browser, scheme):
    if not AXE.exists():
        pytest.skip("there is no axe-core: make javascript")
    chromium.brightness(browser, scheme)
    visit()
    browser.execute_script(AXE.read_text())
    for view in through_views(browser):
        found = browser.execute_async_script("axe.run().then(arguments[0])")["violations"]
        serious = [
            (violation["id"], violation["nodes"][0]["html"][:200])
            for violation in found
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == [], view


def test_the_page_is_dark_where_users_want_it(visit, browser):
    def background():
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    visit()
    assert background() == "rgb(255, 255, 255)"
    chromium.brightness(browser, "dark")
    assert background() == "rgb(22, 22, 22)"


def test_tables_can_be_read_without_javascript(study, browser):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(study[0].as_uri())
        wait(browser, lambda: len(find_all(browser, "#tables table")) == 7)
        assert "dcae_published" in find(browser, "#tables table").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def embedded(page, folder):
    """As in a report of Snakemake in one file."""
    return data_uri_from_file(page)


def zipped(page, folder):
    """As in a report of Snakemake that was unpacked from a zip file."""
    place = folder / "data/raw/0a1b" / page.name
    place.parent.mkdir(parents=True)
    shutil.copy(page, place)
    return place.as_uri()


def linked(page, folder):
    """As in `workflow.html`."""
    return page.as_uri()


@pytest.mark.parametrize(("way", "links"), [(embedded, 0), (zipped, 0), (linked, 1)])
def test_it_opens_in_snakemakes_own_report_without_links_that_lead_nowhere(browser, study, tmp_path, way, links):
    frame = f'<iframe width="1300" height="900" src="{way(study[0], tmp_path)}"></iframe>'
    (tmp_path / "workflow.html").write_text(f'<link rel="icon" href="data:,">{frame}')
    browser.get((tmp_path / "workflow.html").as_uri())
    browser.switch_to.frame(find(browser, "iframe"))
    try:
        wait(browser, lambda: len(find_all(browser, "#images button")) == 60)
        assert len(find_all(browser, "a[href]")) == links
        assert "report.html" in find(browser, "#report").text
        find(browser, "[data-view=tables]").click()
        wait(browser, lambda: find_all(browser, "#tables .dt-search input"))
    finally:
        browser.switch_to.default_content()
    assert chromium.complaints(browser) == []


# --- the state -------------------------------------------------------------------------------------------------------


def test_an_address_is_opened_as_it_was_sent(visit):
    browser = visit("data=model_b&row=dcae&train=mixed 5%25&seed=2&class=cdm&rate=0.05")
    chosen = {key: Select(find(browser, f"#{key}")).first_selected_option.text for key in ("data", "row", "train")}
    assert chosen == {"data": "model_b", "row": "dcae", "train": "mixed 5%"}
    assert find(browser, "#one-in").get_attribute("value") == "20"
    assert all(name.startswith("cdm ") for name in texts(browser, "#images button > span:nth-child(2)"))
    assert "dcae, mixed 5%, seed 2" in find(browser, "#read-out p").text


def test_what_is_chosen_is_in_the_address(visit):
    browser = visit()
    Select(find(browser, "#row")).select_by_value("dcae")
    Select(find(browser, "#class")).select_by_value("cdm")
    assert address(browser) == {"row": "dcae", "class": "cdm"}
    find(browser, "[data-view=curves]").click()
    assert address(browser)["view"] == "curves"
    assert find(browser, "#curves").is_displayed()
    assert not find(browser, "#gallery").is_displayed()


def test_the_page_follows_a_changed_address(visit):
    browser = visit("row=good")
    browser.execute_script("location.hash = 'row=supervised&only=above'")
    wait(browser, lambda: "supervised, labelled" in find(browser, "#read-out p").text)


@pytest.mark.parametrize("state", ["row=gone&data=lost&seed=77&view=none&class=<b>&page=-3&rate=7&box=a,b", "%%%=&&"])
def test_an_address_with_what_is_not_there_shows_the_first(visit, state):
    browser = visit(state)
    assert Select(find(browser, "#row")).first_selected_option.text == "good"
    assert len(find_all(browser, "#images button")) == 60
    assert chromium.complaints(browser) == []


# --- thresholds ------------------------------------------------------------------------------------------------------


def expected(scores, row, training, seed, rate):
    """What Python counts above the threshold of one model, by class."""
    models = scores.models
    chosen = (models["detector"] == row) & (models["seed"] == seed)
    chosen &= (models["contaminant"] == training[0]) & (models["contamination"] == training[1])
    of_row = RowScores(row, models[chosen], scores.values[chosen.to_numpy()])
    threshold = of_row.threshold(scores.positions("smooth", "validation"), rate)
    above = {cls: int(of_row.above(scores.positions(cls), threshold).sum()) for cls in made_up.CLASSES}
    return threshold[0], {cls: "–" if np.isnan(threshold[0]) else str(count) for cls, count in above.items()}


@pytest.mark.parametrize(
    ("row", "train", "training", "seed"),
    [
        ("good", "clean", ("none", 0), 1),
        ("dcae", "mixed 5%25", ("mixed", 0.05), 2),
        ("supervised", "labelled", ("labelled", 0.5), 1),
    ],
)
def test_a_moved_threshold_counts_what_python_counts(visit, scores, row, train, training, seed):
    browser = visit(f"row={row}&train={train}&seed={seed}")
    for one_in in (100, 10, 3, IMAGES, 1000):
        write(find(browser, "#one-in"), one_in)
        threshold, counts = expected(scores, row, training, seed, 1 / one_in)
        assert counted(browser) == counts
        if np.isfinite(threshold):
            assert find(browser, "#threshold").text == f"{threshold:.6g}".replace("-", "−")
    assert "unknown" in find(browser, "#read-out p").text


def test_the_slider_moves_by_keys_and_its_counts_are_pythons(visit, scores):
    browser = visit("row=good&rate=0.1")
    slider = find(browser, "#rate")
    seen = set()
    for key in (Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.PAGE_UP, Keys.ARROW_RIGHT, Keys.END):
        slider.send_keys(key)
        rate = float(address(browser)["rate"])
        seen.add(rate)
        assert counted(browser) == expected(scores, "good", ("none", 0), 1, rate)[1]
    assert len(seen) >= 4
    assert find(browser, "#rate").get_attribute("value") == "0"
    assert browser.switch_to.active_element == slider


def test_false_alarms_per_100000_are_those_of_the_table(visit, study):
    """`false_alarms.csv` has thresholds at 1 %, set on validation images."""
    table = pd.read_csv(study[0].parent / "tables/false_alarms.csv")
    wanted = table.query("dataset == 'model_a' and detector == 'good' and contaminant == 'none' and seed == 2")
    browser = visit("row=good&seed=2&rate=0.01")
    line = find(browser, "[data-above=smooth]").find_element(By.XPATH, "./ancestor::tr")
    alarms = line.find_elements(By.TAG_NAME, "td")[-1].text.replace(",", "")
    assert float(alarms) == pytest.approx(wanted["false_alarms"].iloc[0], abs=1)


def test_images_above_the_threshold_are_those_that_pass(visit, scores):
    browser = visit("row=good&rate=0.1&only=above")
    row = next(of for of in rows_of(scores) if of.detector == "good")
    threshold = row.threshold(scores.positions("smooth", "validation"), 0.1)[0]
    test = scores.images["pool"] == "test"
    passing = scores.images[test & (row.values[0] > threshold)]
    assert f"of {len(passing)} images" in find(browser, "#where").text
    ids = {f"test/{cls}/{index}" for cls, index in zip(passing["class"], passing["index"], strict=True)}
    shown = {found.get_attribute("data-id") for found in find_all(browser, "#images button.passes")}
    assert shown <= ids
    assert len(shown) == min(60, len(ids))


def test_decoys_have_false_alarms_and_are_no_anomalies(visit):
    browser = visit("row=good&rate=0.1")
    lines = {cells[0]: cells[1:] for line in find_all(browser, "#read-out tbody tr") if (cells := line.text.split())}
    assert lines["vortex"][0] == "decoy"
    assert lines["cdm"][0] == "anomaly"
    assert len(lines["vortex"]) == len(lines["smooth"]) == len(lines["cdm"]) + 1


def test_classes_that_are_numbers_have_their_own_images(visit):
    browser = visit("data=labelled&row=good&class=7")
    lines = [line.text.split()[:3] for line in find_all(browser, "#read-out tbody tr")]
    assert lines == [["smooth", "normal", "40"], ["odd", "anomaly", "14"], ["7", "anomaly", "6"]]
    shown = {found.get_attribute("data-id") for found in find_all(browser, "#images button")}
    assert shown == {f"test/7/{index}" for index in range(6)}


def test_few_validation_images_have_a_rate_that_they_can_set(visit):
    browser = visit("data=mine&row=good")  # of 50 validation images
    assert find(browser, "#one-in").get_attribute("value") == "10"
    assert find(browser, "#threshold").text
    assert counted(browser)["unlabelled"].isdigit()


def test_a_model_that_diverged_shows_no_images(visit):
    browser = visit("row=random")
    assert "no scores" in find(browser, "#read-out p").text
    assert find_all(browser, "#images button") == []


# --- images ----------------------------------------------------------------------------------------------------------

PIXELS = """
const [shown, done] = arguments;
const style = getComputedStyle(shown);
const picture = new Image();
picture.onload = () => {
  const side = parseFloat(style.width);
  const [width, height] = style.backgroundSize.split(" ").map(parseFloat);
  const [x, y] = style.backgroundPosition.split(" ").map(parseFloat);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [side, side];
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, x, y, width, height);
  done([...pen.getImageData(0, 0, side, side).data].filter((_, k) => k % 4 === 0));
};
picture.src = style.backgroundImage.slice(5, -2);
"""


def pixels(browser, shown):
    """What a picture shows, [side, side], 0 to 255."""
    values = browser.execute_async_script(PIXELS, shown)
    side = int(len(values) ** 0.5)
    return np.reshape(values, (side, side))


def test_images_come_in_the_order_of_their_scores(visit, scores):
    values = scores.values[0]
    test = np.flatnonzero((scores.images["pool"] == "test") & (scores.images["class"] == "cdm"))
    order = test[np.argsort(-values[test], kind="stable")]
    browser = visit("row=good&class=cdm")
    shown = [found.get_attribute("data-id") for found in find_all(browser, "#images button")]
    assert shown == [f"test/cdm/{index}" for index in scores.images["index"].to_numpy()[order][:60]]
    find(browser, "#pages button:nth-child(2)").click()
    shown = [found.get_attribute("data-id") for found in find_all(browser, "#images button")]
    assert shown == [f"test/cdm/{index}" for index in scores.images["index"].to_numpy()[order][60:120]]
    Select(find(browser, "#order")).select_by_value("low")
    assert find(browser, "#images button").get_attribute("data-id") == shown[-1]


@pytest.mark.parametrize(("dataset", "number"), [("model_a", 0), ("model_b", 17), ("mine", 5), ("labelled", 1)])
def test_a_click_shows_the_image_that_was_clicked(visit, dataset, number):
    browser = visit(f"data={dataset}&row=good")
    clicked = find_all(browser, "#images button")[number]
    name = clicked.get_attribute("data-id")
    clicked.click()
    assert find(browser, "#detail-title").text == f"{dataset}/{name}"
    _, cls, index = name.split("/")
    tested = {"mine": made_up_files.WITHOUT_LABELS, "labelled": made_up_files.LABELLED}
    classes = list(tested.get(dataset, made_up.CLASSES))
    shown = find(browser, f"#detail .picture[data-image='{name}']")
    assert shown_bits(pixels(browser, shown)) == (classes.index(cls) + 1, int(index))
    assert address(browser)["image"].replace("%2F", "/") == name


def test_details_have_the_percentiles_of_all_rows_and_the_truth(visit, scores, study):
    browser = visit("image=test/cdm/7&seed=2")
    lines = {line.find_element(By.TAG_NAME, "th").text: [cell.text for cell in line.find_elements(By.TAG_NAME, "td")]
             for line in find_all(browser, "#detail tbody tr")}  # fmt: skip
    test = np.flatnonzero(scores.images["pool"] == "test")
    image = np.flatnonzero((scores.images == ("test", "cdm", 7)).all(axis=1))[0]
    validation = scores.positions("smooth", "validation")
    for row in ("good", "dcae", "supervised", "tried_02"):
        models = scores.models[
            scores.uncontaminated & (scores.models["detector"] == row) & (scores.models["seed"] == 2)
        ]
        values = scores.values[models.index[0]]
        percentile = stats.percentileofscore(values[test], values[image], kind="mean")
        assert float(lines[row][1]) == pytest.approx(percentile, rel=1e-3)
        assert lines[row][2] == f"{(values[validation] >= values[image]).sum()} of {len(validation)}"
    assert lines["random"][1:] == ["–", "–", "–"]
    truth = pd.read_csv(study[1]["truths"]["model_a"], comment="#").query("pool == 'test' and `class` == 'cdm'")
    ring = truth.set_index("index").loc[7, "einstein_radius_arcsec"]
    assert float(lines["einstein_radius_arcsec"][0]) == pytest.approx(ring, rel=1e-3)


def test_twins_stand_side_by_side(visit):
    browser = visit("image=test/cdm/7")
    shown = texts(browser, "#detail > .twins figcaption")
    assert shown == made_up.CLASSES
    browser = visit("class=cdm&twins=1")
    pair = find_all(browser, "#images button")[0].find_elements(By.CSS_SELECTOR, ".picture")
    names = [found.get_attribute("data-image").split("/")[1:] for found in pair]
    assert [name[0] for name in names] == ["cdm", "smooth"]
    assert names[0][1] == names[1][1]


def kept(study, row, dataset="model_a"):
    """What the study keeps of a row: its arrays, and the place of each image in them."""
    arrays, about = read_arrays(study[1]["maps"][dataset][row])
    classes = about["classes"].split(",")
    names = [f"test/{classes[c]}/{k}" for c, k in zip(arrays["class"], arrays["index"], strict=True)]
    return arrays, {name: place for place, name in enumerate(names)}


def test_residuals_and_maps_have_the_values_of_the_files(visit, study):
    browser = visit("row=dcae&class=cdm&look=row")
    arrays, places = kept(study, "dcae")
    buttons = find_all(browser, "#images button")
    for button in (buttons[0], buttons[made_up.N_MAPPED - 1]):
        place = places[button.get_attribute("data-id")]
        shown = {
            found.get_attribute("data-kind"): pixels(browser, found).reshape(4, 20, 4, 20)[:, 5:15, :, 5:15]
            for found in button.find_elements(By.CSS_SELECTOR, "[data-kind]")
        }
        residual = arrays["residuals"][place].reshape(4, 4, 4, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
        maps = arrays["anomaly_maps"][place].reshape(4, 4, 4, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
        np.testing.assert_allclose(shown["residual"].mean(axis=(1, 3)), 128 + 127 * residual / 5, atol=6)
        np.testing.assert_allclose(shown["map"].mean(axis=(1, 3)) > 128, maps > arrays["anomaly_maps"].mean())
    with_maps = [button.get_attribute("data-id") for button in buttons if not texts(button, ".none")]
    assert with_maps == [button.get_attribute("data-id") for button in buttons[: made_up.N_MAPPED]]
    assert set(with_maps) == {name for name in places if "/cdm/" in name}
    remark = find(browser, "#kept").text
    assert f"dcae, clean, seed 1: {made_up.N_MAPPED} of {len(buttons)} images" in remark


@pytest.mark.parametrize(
    ("state", "frames"), [("row=supervised&look=residual", 60), ("row=good&data=mine&look=map&class=unlabelled", 40)]
)
def test_images_without_maps_have_empty_frames(visit, state, frames):
    browser = visit(state)
    assert len(find_all(browser, "#images .none")) == frames
    assert ("makes no residuals" in find(browser, "#kept").text) == ("supervised" in state)


def test_what_is_not_there_cannot_be_looked_at(visit):
    looks = Select(find(visit("data=mine&look=difference"), "#look"))
    values = [option.get_attribute("value") for option in looks.options]
    assert values == ["", "reconstruction", "residual", "map", "row"]
    assert looks.first_selected_option.get_attribute("value") == ""


def test_details_show_what_each_row_makes_of_the_image(visit, study):
    every = {row: kept(study, row)[1] for row in made_up.ROWS if row not in made_up.WITHOUT_MAPS}
    in_all, in_some, in_none = (
        next(f"test/{cls}/{k}" for cls in made_up.CLASSES for k in range(IMAGES) if wanted(cls, k))
        for wanted in (
            lambda cls, k: all(f"test/{cls}/{k}" in places for places in every.values()),
            lambda cls, k: 0 < sum(f"test/{cls}/{k}" in places for places in every.values()) < len(every),
            lambda cls, k: not any(f"test/{cls}/{k}" in places for places in every.values()),
        )
    )
    for image in (in_all, in_some, in_none):
        browser = visit(f"image={image}")
        rows = [found.get_attribute("data-row") for found in find_all(browser, "#detail details figure")]
        assert rows == [row for row, places in every.items() if image in places]
        for figure in find_all(browser, "#detail details figure"):
            pictures = figure.find_elements(By.CSS_SELECTOR, "[data-kind]")
            assert [found.get_attribute("data-kind") for found in pictures] == ["reconstruction", "residual", "map"]


def test_the_keyboard_opens_and_closes_details(visit):
    browser = visit("row=good")
    first = find(browser, "#images button")
    browser.execute_script("arguments[0].focus()", first)
    first.send_keys(Keys.ENTER)
    assert find(browser, "#detail").is_displayed()
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    wait(browser, lambda: not find(browser, "#detail").is_displayed())
    assert "image" not in address(browser)
    assert browser.switch_to.active_element.get_attribute("data-id") == first.get_attribute("data-id")


# --- two rows --------------------------------------------------------------------------------------------------------


def percentiles(scores, row):
    """Of the first model of a row, of all test images."""
    test = np.flatnonzero(scores.images["pool"] == "test")
    values = scores.values[scores.models.query("detector == @row").index[0], test]
    return scores.images.iloc[test], 100 * (stats.rankdata(values) - 0.5) / len(test)


def inside(scores, box):
    """The images in a rectangle of percentiles."""
    images, x = percentiles(scores, "good")
    y = percentiles(scores, "dcae")[1]
    chosen = images[(x >= box[0]) & (x <= box[1]) & (y >= box[2]) & (y <= box[3])]
    return {f"test/{cls}/{index}" for cls, index in zip(chosen["class"], chosen["index"], strict=True)}


def test_a_rectangle_lists_what_is_in_it(visit, scores):
    browser = visit("view=pair&row=good&other=dcae")
    for number, value in enumerate((80, 100, 0, 40)):
        write(find(browser, f"#edge-{number}"), value)
    wanted = inside(scores, (80, 100, 0, 40))
    assert len(wanted) > 3
    assert {found.get_attribute("data-id") for found in find_all(browser, "#chosen-images button")} == wanted
    assert address(browser)["box"].replace("%2C", ",") == "80,100,0,40"


def test_a_rectangle_can_be_drawn(visit, scores):
    browser = visit("view=pair&row=good&other=dcae")
    canvas = find(browser, "#pair canvas")
    drag = ActionChains(browser).move_to_element_with_offset(canvas, 60, 60).click_and_hold()
    drag.move_by_offset(120, 120).release().perform()
    box = [float(value) for value in address(browser)["box"].replace("%2C", ",").split(",")]
    assert box[1] - box[0] == pytest.approx(box[3] - box[2], rel=0.05)
    assert f"{len(inside(scores, box))} images in the rectangle" in find(browser, "#chosen-count").text


def test_the_image_at_the_pointer_is_shown(visit, scores):
    browser = visit("view=pair&row=good&other=dcae")
    canvas = find(browser, "#pair canvas")
    width = canvas.size["width"]
    images, x = percentiles(scores, "good")
    y = percentiles(scores, "dcae")[1]
    left, right, top, bottom = 52, 12, 10, 44
    place = (left + (width - left - right) * x[0] / 100, top + (width - top - bottom) * (1 - y[0] / 100))
    ActionChains(browser).move_to_element_with_offset(canvas, *(round(p - width / 2) for p in place)).perform()
    shown = find(browser, "#pointed .picture")
    identity = (images["class"] + "/" + images["index"].astype(str)).tolist()
    found = identity.index(shown.get_attribute("data-image").removeprefix("test/"))
    assert np.hypot(x[found] - x[0], y[found] - y[0]) < 1
    _, cls, index = images.iloc[found]
    assert shown_bits(pixels(browser, shown)) == (made_up.CLASSES.index(cls) + 1, index)


# --- curves ----------------------------------------------------------------------------------------------------------


def curve_values(browser):
    """The numbers at the pointer, by row."""
    lines = find_all(browser, "#curve-values tbody tr")
    return {
        line.find_element(By.TAG_NAME, "th").text: [
            float(cell.text.replace(",", "").replace("−", "-"))
            for cell in line.find_elements(By.TAG_NAME, "td")[1:]
            if cell.text != "–"
        ]
        for line in lines
    }


def test_a_roc_curve_is_read_at_the_pointer(visit, scores):
    browser = visit("view=curves&rows=good,supervised&class=cdm&at=0.1")
    normal, odd = scores.positions("smooth"), scores.positions("cdm")
    for row, (threshold, tpr, fpr, precision, alarms) in curve_values(browser).items():
        values = scores.values[scores.models.index[scores.models["detector"] == row][0]]
        limit = min(value for value in values[normal] if (values[normal] > value).mean() <= 0.1)
        above = (values[normal] > limit).sum(), (values[odd] > limit).sum()
        assert fpr == pytest.approx(above[0] / len(normal), rel=1e-3)
        assert tpr >= above[1] / len(odd) - 1e-4  # the lowest threshold with so many false alarms
        assert threshold <= limit + 1e-3
        assert precision == pytest.approx(tpr * len(odd) / (tpr * len(odd) + above[0]), abs=1e-3)
        assert alarms == pytest.approx(1e5 * above[0] / len(normal), abs=1)
    before = curve_values(browser)
    svg = find(browser, "#curves svg")
    svg.send_keys(Keys.ARROW_RIGHT * 20)
    assert curve_values(browser)["good"][1] > before["good"][1]
    assert float(address(browser)["at"]) == pytest.approx(0.3, abs=0.01)
    ActionChains(browser).move_to_element_with_offset(svg, 300, 0).perform()
    assert curve_values(browser)["good"][2] > 0.6


def test_precision_and_recall_are_those_of_the_scores(visit, scores):
    browser = visit("view=curves&curve=pr&rows=good&at=0.5")
    threshold, recall, fpr, precision, _ = curve_values(browser)["good"]
    values = scores.values[0]
    normal, odd = scores.positions("smooth"), scores.positions("all")
    assert recall == pytest.approx(0.5, abs=0.02)
    found = recall * len(odd)
    assert precision == pytest.approx(found / (found + fpr * len(normal)), abs=1e-3)
    assert (values[odd] > threshold - 1e-3).mean() == pytest.approx(recall, abs=0.02)


def test_rows_are_chosen_by_boxes(visit):
    browser = visit("view=curves&rows=good")
    assert texts(browser, "#curves .legend li") == ["good"]
    find(browser, "#curves input[value=supervised]").click()
    assert texts(browser, "#curves .legend li") == ["good", "supervised"]
    assert address(browser)["rows"].replace("%2C", ",") == "good,supervised"


def test_contamination_curves_have_the_aucs_of_the_table(visit, study):
    browser = visit("view=curves&curve=contamination&rows=good&contaminant=mixed")
    table = pd.read_csv(study[0].parent / "tables/auc.csv")
    table = table.query("dataset == 'model_a' and detector == 'good' and anomaly == 'all'")
    for line, fraction in zip(find_all(browser, "#curve-values > .scrolls tbody tr"), (0, 0.05), strict=True):
        own = table["contaminant"] == ("mixed" if fraction else "none")
        aucs = table.loc[own & (table["contamination"] == fraction), "auc"]
        assert float(line.find_elements(By.TAG_NAME, "td")[1].text) == pytest.approx(aucs.mean(), abs=1e-4)


def test_completeness_by_mass_is_that_of_the_table(visit, study):
    browser = visit("view=curves&curve=mass&rows=good&far=0.1&class=cdm")
    table = pd.read_csv(study[0].parent / "tables/detection.csv")
    table = table.query("dataset == 'model_a' and detector == 'good' and `class` == 'cdm' and false_alarm_rate == 0.1")
    wanted = table[table["truth"] == "heaviest_mass_msun"].sort_values("bin_low")["detected"]
    shown = [float(cells[2]) for line in find_all(browser, "#curve-values > .scrolls tbody tr")
             if (cells := [cell.text for cell in line.find_elements(By.TAG_NAME, "td")])]  # fmt: skip
    assert shown == pytest.approx(wanted.tolist(), abs=1e-3)
    assert len(shown) > 1


def at_the_dot(browser):
    """The row and the numbers of the dot that is read; a bin as text."""
    cells = [cell.text for cell in find_all(browser, "#dot-values tbody > tr > *")]
    return cells[0], [text if " to " in text else float(text.replace("−", "-")) for text in cells[1:] if text != "–"]


def point_at(browser, circle):
    """Move the pointer near a dot."""
    ActionChains(browser).move_to_element_with_offset(circle, 3, -2).perform()


def test_dots_of_contamination_are_read_by_pointer_and_keys(visit, study):
    table = pd.read_csv(study[0].parent / "tables/auc.csv")
    table = table.query("dataset == 'model_a' and anomaly == 'cdm' and contaminant in ('none', 'mixed')")

    def wanted(row, seed, fraction):
        line = table.query(f"detector == '{row}' and seed == {seed} and contamination == {fraction}").iloc[0]
        return row, pytest.approx([seed, fraction, *line[["auc", "auc_low", "auc_high"]]], abs=1e-4)

    browser = visit("view=curves&curve=contamination&rows=good,dcae&contaminant=mixed&class=cdm")
    assert at_the_dot(browser) == wanted("good", 1, 0)
    svg = find(browser, "#curves svg")
    for key, values in [
        (Keys.ARROW_RIGHT, ("good", 2, 0)),
        (Keys.END, ("good", 2, 0.05)),
        (Keys.ARROW_RIGHT, ("good", 2, 0.05)),
        (Keys.ARROW_LEFT, ("good", 1, 0.05)),
        (Keys.HOME, ("good", 1, 0)),
    ]:
        svg.send_keys(key)
        assert at_the_dot(browser) == wanted(*values)
    svg.send_keys(Keys.ARROW_DOWN)
    row, (_, fraction, *_) = at_the_dot(browser)
    assert (row, fraction) == ("dcae", 0)
    assert address(browser)["dot"].startswith("dcae%2C0%2C")
    point_at(browser, find_all(browser, "#curves circle.dot")[3])
    assert at_the_dot(browser) == wanted("good", 2, 0.05)
    browser = visit("view=curves&curve=contamination&rows=good,dcae&contaminant=mixed&class=cdm&dot=dcae,0.05,2")
    assert at_the_dot(browser) == wanted("dcae", 2, 0.05)


def test_dots_of_mass_are_read_by_pointer_and_keys(visit, study):
    table = pd.read_csv(study[0].parent / "tables/detection.csv")
    chosen = "dataset == 'model_a' and `class` == 'cdm' and false_alarm_rate == 0.1 and truth == 'heaviest_mass_msun'"
    table = table.query(chosen).sort_values("bin_low")

    def wanted(row, number):
        line = table[table["detector"] == row].iloc[number]
        assert at_the_dot(browser)[0] == row
        mass, edges, *others = at_the_dot(browser)[1]
        assert mass == pytest.approx((line["bin_low"] * line["bin_high"]) ** 0.5, rel=1e-2)
        assert [float(edge) for edge in edges.split(" to ")] == pytest.approx([line["bin_low"], line["bin_high"]], 1e-2)
        assert others == pytest.approx(line[["detected", "detected_low", "detected_high", "images"]].tolist(), rel=1e-3)

    browser = visit("view=curves&curve=mass&rows=good,dcae&far=0.1&class=cdm")
    wanted("good", 0)
    svg = find(browser, "#curves svg")
    for key, row, number in [(Keys.ARROW_RIGHT, "good", 1), (Keys.ARROW_DOWN, "dcae", 1), (Keys.END, "dcae", -1)]:
        svg.send_keys(key)
        wanted(row, number)
    count = (table["detector"] == "good").sum()
    point_at(browser, find_all(browser, "#curves circle.dot")[count - 1])
    wanted("good", -1)


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def auc_table(visit, study):
    """The table of AUCs in the browser, and as it was written."""
    browser = visit("view=tables&table=auc")
    wait(browser, lambda: find_all(browser, "#tables .dt-search input"))
    return browser, pd.read_csv(study[0].parent / "tables/auc.csv")


def column(browser, number):
    return texts(browser, f"#tables .table:not([hidden]) tbody tr td:nth-child({number})")


def test_a_key_on_a_heading_sorts(auc_table):
    browser, table = auc_table
    number = list(table.columns).index("auc")
    heading = find_all(browser, "#tables .table:not([hidden]) thead th")[number]
    order = heading.find_element(By.CSS_SELECTOR, ".dt-column-order")
    for _ in range(2):
        browser.execute_script("arguments[0].focus()", order)
        order.send_keys(Keys.ENTER)
    wait(browser, lambda: heading.get_attribute("aria-sort") == "descending")
    shown = [float(text) for text in column(browser, number + 1)]
    assert shown == pytest.approx(sorted(table["auc"].dropna(), reverse=True)[:25])
    assert address(browser)["sort"] == "auc%3Adesc"


def test_typing_searches_and_filters(auc_table):
    browser, table = auc_table
    find(browser, "#tables .table:not([hidden]) .dt-search input").send_keys("dcae_published")
    wait(browser, lambda: set(column(browser, 4)) == {"dcae_published"})
    assert address(browser)["search"] == "dcae_published"
    find_all(browser, "#tables .table:not([hidden]) tfoot input")[list(table.columns).index("auc")].send_keys("> 0.6")
    wanted = table.query("detector == 'dcae_published' and auc > 0.6")
    where = f"of {len(wanted)} entries"
    wait(browser, lambda: where in find(browser, "#tables .table:not([hidden]) .dt-info").text)
    browser.get("about:blank")
    browser.back()  # the address holds the filter, too
    wait(browser, lambda: where in find(browser, "#tables .table:not([hidden]) .dt-info").text)


def test_a_sent_address_opens_a_table_sorted_and_searched(visit, study):
    browser = visit("view=tables&table=auc&sort=auc:desc&search=good")
    wait(browser, lambda: find_all(browser, "#tables .dt-search input"))
    table = pd.read_csv(study[0].parent / "tables/auc.csv")
    wanted = table[table["detector"].str.contains("good")]["auc"].max()
    assert float(column(browser, list(table.columns).index("auc") + 1)[0]) == pytest.approx(wanted)


def test_a_table_can_be_copied(auc_table):
    browser, table = auc_table
    find(browser, "#tables .table:not([hidden]) .buttons-copy").click()
    note = wait(browser, lambda: find(browser, ".dt-button-info").text)
    assert f"{len(table)} rows" in note


# --- other studies ---------------------------------------------------------------------------------------------------


def own_images_only(folder):
    """Unlabelled images of the user's own, and nothing else."""
    made = made_up_files.add({}, folder, "mine", made_up_files.WITHOUT_LABELS)
    return explored.page_of(
        folder, made, made_up.aggregated(folder, made, made_up_files.ROWS, own=("mine",)), own=("mine",)
    )


def reduced(folder, **cut):
    """A study with less of something."""
    rows = cut.get("rows", made_up.ROWS)
    made = made_up.study(folder, images=12, **cut)
    return explored.page_of(folder, made, made_up.aggregated(folder, made, rows), rows)


def nothing_converged(folder):
    lost = [f"{training_set}/1" for training_set in made_up.TRAINING_SETS]
    return reduced(folder, rows={"good": made_up.ROWS["good"]}, seeds=(1,), diverged={"good": lost})


def an_upper_bound_only(folder):
    return reduced(folder, datasets=("model_a",), rows={"supervised": made_up.ROWS["supervised"]}, seeds=(1,))


@pytest.mark.parametrize("make", [own_images_only, nothing_converged, an_upper_bound_only])
def test_reduced_studies_are_shown(tmp_path, visit, make):
    page = make(tmp_path)
    browser = visit("", page)
    for view in through_views(browser):
        assert chromium.complaints(browser) == [], view
        assert find(browser, f"#{view.partition('&')[0]}").text, view


def test_images_without_a_score_are_left_out(tmp_path, visit):
    """Outside scores may lack images."""
    rows = {row: made_up.ROWS[row] for row in ("dcae", "tried_02")}
    made = made_up.study(tmp_path, ("model_a",), rows, images=30)
    outputs = made_up.aggregated(tmp_path, made, rows)
    path = made["scores"]["model_a"]["tried_02"]
    table, about = read_table(path)
    write_table(path, table[(table["pool"] == "validation") | (table["index"] < 20)], **about, partial=True)
    page = explored.page_of(tmp_path, made, outputs, rows)
    browser = visit("row=tried_02&class=cdm", page)
    assert "of 20 images with a score" in find(browser, "#where").text
    lines = {cells[0]: cells[2] for line in find_all(browser, "#read-out tbody tr") if (cells := line.text.split())}
    assert lines == {"smooth": "20", "cdm": "20", "vortex": "20"}
    browser = visit("row=dcae&image=test/cdm/25", page)
    line = next(line for line in texts(browser, "#detail tbody tr") if line.startswith("tried_02 "))
    assert line.split()[-3:] == ["–", "–", "–"]
