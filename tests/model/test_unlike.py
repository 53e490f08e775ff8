"""Pictures that a model has seen nothing of are named; its own are not."""

import pytest
import torch

import causalflow as cf
from causalflow.model.unlike import unlike


@pytest.mark.parametrize("name", ["morpho_mnist", "scene_ball"])
def test_strange_pictures_are_named_by_their_rows_and_the_models_own_are_not(name):
    model = cf.from_pretrained(name)
    own = (model.sample(3, generator=0)["image"] * 255).round().to(torch.uint8)
    white = torch.full_like(own[:1], 255)
    random = torch.randint(0, 256, own[:1].shape, generator=torch.Generator().manual_seed(0))
    found = model.abduct({"image": torch.cat([own, white, random.to(torch.uint8)])}, generator=0)
    assert [each.split(":")[0] for each in unlike(found)] == ["image of row 3", "image of row 4"]
    numbered = unlike(found, [10, 11, 12, 13, 14])
    assert [each.split(":")[0] for each in numbered] == ["image of row 13", "image of row 14"]
