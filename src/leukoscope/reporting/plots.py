"""Plots that can be explored, drawn by Plotly from what a report is made of."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from leukoscope.evaluation.metrics import list_compared
from leukoscope.figures import colours
from leukoscope.figures.protocols import list_rungs

_CLASS_SHADES = (colours.GREEN, colours.ORANGE, colours.BLUE, colours.PURPLE, colours.VERMILION, colours.SKY)
_DIAGONAL = {"x": [0, 1], "y": [0, 1], "mode": "lines", "line": {"color": "grey", "dash": "dot"}, "hoverinfo": "skip"}
_HEIGHT = 380


def render(figure: go.Figure) -> str:
    """Turn a figure into a part of a page that has Plotly's script; its camera saves the figure as SVG."""
    figure.update_layout(
        template="plotly_white",
        font_family="system-ui, sans-serif",
        margin={"t": 40, "r": 20},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )
    camera = {"format": "svg", "filename": "leukoscope"}
    config = {"responsive": True, "displaylogo": False, "toImageButtonOptions": camera}
    return figure.to_html(full_html=False, include_plotlyjs=False, config=config)


def plot_flow(data: dict[str, Any]) -> go.Figure:
    """Show how files became the images of splits, and what was left out.

    Args:
        data: As ``describe_data`` or ``describe_images`` gives it.
    """
    names, links = ["found", "accepted"], [(0, 1, data["accepted"])]
    for reason, count in data["quarantined"].items():
        names.append(f"quarantined: {reason}")
        links.append((0, len(names) - 1, count))
    for split, facts in data.get("splits", {}).items():
        names.append(f"{split}: {facts['groups']:,} groups")
        links.append((1, len(names) - 1, facts["images"]))
    if data.get("in_no_split"):
        names.append("in no split")
        links.append((1, len(names) - 1, data["in_no_split"]))
    sources, targets, values = zip(*links, strict=True)
    shades = [colours.VERMILION if name.startswith("quarantined") else colours.BLUE for name in names]
    flow = go.Sankey(
        node={"label": names, "color": shades, "pad": 14},
        link={"source": sources, "target": targets, "value": values, "color": "rgba(0, 114, 178, 0.18)"},
        valueformat=",d",
        valuesuffix=" images",
    )
    return go.Figure(flow, layout={"height": 300})


def plot_learning(history: Sequence[dict[str, float]]) -> go.Figure:
    """Show accuracy and loss over the epochs."""
    table = pd.DataFrame(history)
    figure = make_subplots(1, 2, subplot_titles=("accuracy", "loss"))
    for column, metric in enumerate(("accuracy", "loss"), start=1):
        for split, shade in (("train", colours.BLUE), ("validation", colours.VERMILION)):
            line = go.Scatter(
                x=table["epoch"],
                y=table[f"{split}_{metric}"],
                name=split,
                legendgroup=split,
                showlegend=column == 1,
                line_color=shade,
            )
            figure.add_trace(line, 1, column)
    best = table.loc[table["validation_loss"].idxmin(), "epoch"]
    figure.add_vline(best, line={"dash": "dot", "color": "grey"})
    figure.update_xaxes(title="epoch")
    return figure.update_layout(height=_HEIGHT, hovermode="x unified")


def plot_confusion(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    """Show which classes are taken for which: counts, coloured by their share of the true class."""
    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    heatmap = go.Heatmap(
        z=shares,
        x=[escape(name, quote=False) for name in class_names],
        y=[escape(name, quote=False) for name in class_names],
        text=counts,
        texttemplate="%{text}",
        hovertemplate="true %{y}, called %{x}: %{text} images, %{z:.1%} of the class<extra></extra>",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        colorbar={"title": "share", "tickformat": ".0%"},
    )
    figure = go.Figure(heatmap, layout={"height": _HEIGHT})
    # Plotly would take classes that are named like numbers or dates for places on an axis.
    figure.update_yaxes(autorange="reversed", title="true", type="category")
    return figure.update_xaxes(title="called", type="category")


def plot_roc(roc: dict[str, dict[str, list[float]]]) -> go.Figure:
    """Show the ROC curve of each class against all others, with the threshold of each point."""
    figure = go.Figure(go.Scatter(_DIAGONAL, showlegend=False), layout={"height": _HEIGHT})
    for (name, curve), shade in zip(roc.items(), cycle(_CLASS_SHADES), strict=False):
        figure.add_scatter(
            x=curve["false_positive"],
            y=curve["true_positive"],
            customdata=curve["threshold"],
            name=escape(name, quote=False),
            line_color=shade,
            hovertemplate="sensitivity %{y:.3f}, 1 - specificity %{x:.3f} at %{customdata:.3f}",
        )
    return figure.update_layout(xaxis_title="1 - specificity", yaxis_title="sensitivity")


def plot_trust(result: dict[str, Any]) -> go.Figure:
    """Show how often the classifier is right when it is so sure, and what withholding opinions gains."""
    figure = make_subplots(1, 2, subplot_titles=("reliability", "risk and coverage"))
    figure.add_trace(go.Scatter(_DIAGONAL, showlegend=False), 1, 1)
    for (name, bins), shade in zip(result["reliability"].items(), (colours.SKY, colours.BLUE), strict=True):
        share = np.array(bins["images"]) / max(sum(bins["images"]), 1)
        points = go.Scatter(
            x=bins["confidence"],
            y=bins["right"],
            customdata=bins["images"],
            name=name.replace("_", " "),
            mode="lines+markers",
            marker={"size": 5 + 25 * np.sqrt(share), "color": shade},
            hovertemplate="sure %{x:.3f}, right %{y:.3f}: %{customdata} images",
        )
        figure.add_trace(points, 1, 1)
    risk = result["risk"]
    curve = go.Scatter(
        x=[0, *risk["coverage"]],
        y=[*risk["risk"][:1], *risk["risk"]],
        customdata=[*risk["confidence"][:1], *risk["confidence"]],
        name="opinions",
        # Up to each coverage the risk is that of giving so many opinions: the area below is the AURC.
        line={"shape": "vh", "color": colours.GREEN},
        hovertemplate="%{x:.1%} get an opinion, %{y:.2%} of these wrong, from a confidence of %{customdata:.3f} on",
    )
    figure.add_trace(curve, 1, 2)
    figure.update_xaxes(title="confidence", row=1, col=1)
    figure.update_yaxes(title="share that is right", row=1, col=1)
    figure.update_xaxes(title="share of images with an opinion", row=1, col=2)
    figure.update_yaxes(title="share of these that is wrong", rangemode="tozero", row=1, col=2)
    return figure.update_layout(height=_HEIGHT)


def plot_robustness(robustness: Sequence[dict[str, Any]]) -> go.Figure:
    """Show the accuracy under each change from weak to strong."""
    table = pd.DataFrame(robustness)
    changed = table[table["perturbation"] != "none"]
    clean = table.loc[table["perturbation"] == "none", "accuracy"].iloc[0]
    # The last is the strongest, however many there are.
    left = changed.groupby("perturbation", sort=False).cumcount(ascending=False)
    figure = go.Figure(layout={"height": _HEIGHT, "barmode": "group"})
    steps = {"weak": colours.SKY, "middle": colours.BLUE, "strong": colours.BLACK}
    for stronger, (name, shade) in zip((2, 1, 0), steps.items(), strict=True):
        rows = changed[left == stronger]
        figure.add_bar(
            x=rows["perturbation"],
            y=rows["accuracy"],
            error_y=_reach(rows["accuracy"], rows["low"], rows["high"]) | {"thickness": 1},
            customdata=rows[["level", "unit", "calibrated_ece", "unlike", "low", "high"]],
            name=name,
            marker_color=shade,
            hovertemplate="%{x} %{customdata[0]} (%{customdata[1]}): accuracy %{y:.3f} (%{customdata[4]:.3f} to "
            "%{customdata[5]:.3f}), calibration error %{customdata[2]:.3f}, %{customdata[3]:.0%} "
            "flagged as unlike the training images<extra></extra>",
        )
    figure.add_hline(clean, line_color=colours.VERMILION, annotation_text=f"unchanged {clean:.3f}")
    # A change of two strengths has no weak one, and would come last.
    figure.update_xaxes(categoryorder="array", categoryarray=list(dict.fromkeys(changed["perturbation"])))
    return figure.update_yaxes(title="accuracy", range=[0, 1.05])


def plot_ladder(audit: pd.DataFrame, largest: float) -> go.Figure:
    """Show how far each predictor gets under each protocol of the audit.

    Args:
        audit: One row a protocol and predictor.
        largest: The share of the largest class, which needs no predictor.
    """
    predictors = list(dict.fromkeys(audit["predictor"]))
    rungs = list_rungs(audit)
    figure = go.Figure(layout={"height": 120 + max(45, 16 * len(rungs)) * len(predictors)})
    for rung in rungs:
        rows, style = rung.rows, rung.style
        figure.add_scatter(
            x=rows["accuracy"],
            y=rows["predictor"].map(predictors.index) + rung.shift,
            error_x=_reach(rows["accuracy"], rows["low"], rows["high"]),
            customdata=rows[["predictor", "low", "high", "images", "groups"]],
            name=rung.label,
            mode="markers",
            marker={"symbol": style.symbol, "color": style.shade, "size": 9},
            hovertemplate="%{customdata[0]}: %{x:.3f} (%{customdata[1]:.3f} to %{customdata[2]:.3f}), "
            "%{customdata[3]} images in %{customdata[4]} groups",
        )
    line = {"dash": "dot", "color": colours.BLACK, "width": 1}
    figure.add_vline(largest, line=line, annotation_text="the largest class alone", annotation_position="top")
    ticks = {"tickvals": list(range(len(predictors))), "ticktext": [one.replace("_", " ") for one in predictors]}
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure.update_xaxes(title="cross-validated accuracy, with its interval", range=[0, 1.02])


def plot_comparison(comparison: pd.DataFrame, baseline: Mapping[str, Any] | None) -> go.Figure:
    """Show the test set's scores of every backbone with their intervals, and how far stain colour alone gets.

    The published study's accuracies stand beside them where the table has them.

    Args:
        comparison: One row a backbone.
        baseline: What stain colour alone reaches on the same test images, if that is known.
    """
    figure = go.Figure(layout={"height": 420, "scattermode": "group"})
    scores = [f"test_{name}" for name in list_compared() if f"test_{name}" in comparison]
    for column, shade in zip(scores, cycle(colours.OF_SCORES), strict=False):
        figure.add_scatter(
            x=comparison["title"],
            y=comparison[column],
            error_y=_reach(*(comparison[f"{column}{end}"] for end in ("", "_low", "_high"))),
            name=column.replace("_", " "),
            offsetgroup=column,
            mode="markers",
            marker={"color": shade, "size": 10},
        )
    if "report_test_accuracy" in comparison:
        figure.add_scatter(
            x=comparison["title"],
            y=comparison["report_test_accuracy"],
            name="test accuracy in the report",
            offsetgroup="report",
            mode="markers",
            marker={"color": colours.VERMILION, "symbol": "diamond", "size": 9},
        )
    if baseline is not None:
        line = {"color": colours.ORANGE, "dash": "dot"}
        figure.add_hline(baseline["accuracy"], line=line, name="accuracy of stain colour alone", showlegend=True)
        if baseline["low"] is not None:
            ends = {"y0": baseline["low"], "y1": baseline["high"]}
            figure.add_hrect(**ends, fillcolor=colours.ORANGE, opacity=0.15, line_width=0)
    return figure.update_yaxes(title="score", range=[0, 1.08])


def plot_costs(comparison: pd.DataFrame) -> go.Figure:
    """Show what each backbone's accuracy costs: seconds an epoch, and parameters as the size of the mark.

    What does not train in epochs is left out.
    """
    comparison = comparison[comparison["seconds_per_epoch"].notna()]
    size = 10 + 40 * np.sqrt(comparison["parameters"] / comparison["parameters"].max())
    figure = go.Figure(layout={"height": _HEIGHT, "showlegend": False})
    figure.add_scatter(
        x=comparison["seconds_per_epoch"],
        y=comparison["test_accuracy"],
        text=comparison["title"],
        customdata=comparison[["parameters", "model_mib"]],
        mode="markers+text",
        textposition="top center",
        cliponaxis=False,
        marker={"size": size, "color": colours.SKY},
        hovertemplate="%{text}: %{x:.1f} s an epoch, accuracy %{y:.3f}, %{customdata[0]:.3s} parameters, "
        "%{customdata[1]:.0f} MiB<extra></extra>",
    )
    figure.update_xaxes(title="seconds per epoch (larger marks: more parameters)", rangemode="tozero")
    return figure.update_yaxes(title="test accuracy")


def plot_strongest(robustness: dict[str, Sequence[dict[str, Any]]]) -> go.Figure:
    """Show the accuracy of every backbone under the strongest of each change.

    Args:
        robustness: The table of each backbone, by its title.
    """
    tables = {name: pd.DataFrame(rows).groupby("perturbation", sort=False).last() for name, rows in robustness.items()}
    accuracies = pd.DataFrame({name: table["accuracy"] for name, table in tables.items()}).T
    heatmap = go.Heatmap(
        z=accuracies,
        x=accuracies.columns,
        y=accuracies.index,
        texttemplate="%{z:.2f}",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        hovertemplate="%{y} under the strongest %{x}: accuracy %{z:.3f}<extra></extra>",
        colorbar={"title": "accuracy"},
    )
    figure = go.Figure(heatmap, layout={"height": 160 + 45 * len(accuracies)})
    return figure.update_yaxes(autorange="reversed")


def _reach(value: pd.Series, low: pd.Series, high: pd.Series) -> dict[str, Any]:
    """Give an interval as Plotly's error bars."""
    return {"array": high - value, "arrayminus": value - low, "symmetric": False}
